"""Plays supervisord for one listener over its pipes and measures, as supervisord would see it.

Usage: drive.py EVENTS COMMAND...; prints one JSON object. Python, because its blocking pipe
calls add only a few microseconds, the same for every listener, to each round trip.
"""
import json
import os
import subprocess
import sys
import time

PAYLOAD = b"processname:cat groupname:cat from_state:RUNNING expected:0 pid:2766"
HEADER = (
    b"ver:3.0 server:supervisor serial:%d pool:listener poolserial:%d "
    b"eventname:PROCESS_STATE_EXITED len:%d\n"
)


def memory_kb(pid):
    """RssAnon is what the process has for itself; the rest of RSS is the mapped executable."""
    with open("/proc/%d/status" % pid) as status:
        fields = dict(line.split(":", 1) for line in status)
    return {name: int(fields[name].split()[0]) for name in ("RssAnon", "VmRSS")}


def read_until(fd, end):
    data = b""
    while not data.endswith(end):
        piece = os.read(fd, 4096)
        if not piece:
            sys.exit("the listener ended: %r" % data)
        data += piece


def main():
    count, command = int(sys.argv[1]), sys.argv[2:]
    begun = time.perf_counter_ns()
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    to_child, from_child = child.stdin.fileno(), child.stdout.fileno()
    read_until(from_child, b"READY\n")
    start_ns = time.perf_counter_ns() - begun
    time.sleep(0.5)  # let it settle: this is the idle memory, not the start's
    idle = memory_kb(child.pid)
    times = []
    for serial in range(count):
        event = HEADER % (serial, serial, len(PAYLOAD)) + PAYLOAD
        sent = time.perf_counter_ns()
        os.write(to_child, event)
        read_until(from_child, b"READY\n")
        times.append(time.perf_counter_ns() - sent)
    after = memory_kb(child.pid)
    child.stdin.close()
    child.terminate()
    child.wait()
    times.sort()
    print(json.dumps({
        "startMs": start_ns / 1e6,
        "p50Us": times[len(times) // 2] / 1e3,
        "p99Us": times[len(times) * 99 // 100] / 1e3,
        "maxUs": times[-1] / 1e3,
        "idleKb": idle,
        "afterKb": after,
    }))


main()
