"""Plays supervisord for one listener over its pipes and measures, as supervisord would see it.

Usage: pipes.py OPTIONS COMMAND...; OPTIONS and what is printed are JSON objects. Python, because
its blocking pipe calls add only a few microseconds, the same for every listener.

Options: events, how many; processes, by how many names they come (1); crash, whether they are
unexpected exits (true); warmup, events before the measured ones (0); idle_s, how long to wait for
the idle memory to settle (0.5).
"""
import json
import os
import subprocess
import sys
import time

PAYLOAD = b"processname:%s groupname:%s from_state:RUNNING expected:%d pid:%d"
HEADER = (
    b"ver:3.0 server:supervisor serial:%d pool:listener poolserial:%d "
    b"eventname:PROCESS_STATE_EXITED len:%d\n"
)
WINDOW = 1000


def memory_kb(pid):
    """RssAnon is what the process has for itself; the rest of RSS is the mapped executable, of
    which PSS counts only this process's share."""
    with open("/proc/%d/status" % pid) as status, open("/proc/%d/smaps_rollup" % pid) as rollup:
        lines = status.readlines() + rollup.readlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return {
        "rssAnon": int(fields["RssAnon"].split()[0]),
        "rss": int(fields["VmRSS"].split()[0]),
        "pss": int(fields["Pss"].split()[0]),
    }


def read_until(fd, end):
    data = b""
    while not data.endswith(end):
        piece = os.read(fd, 4096)
        if not piece:
            sys.exit("the listener ended: %r" % data)
        data += piece


def quantile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))] / 1e3


def main():
    options, command = json.loads(sys.argv[1]), sys.argv[2:]
    events, warmup = options["events"], options.get("warmup", 0)
    processes, expected = options.get("processes", 1), 0 if options.get("crash", True) else 1
    names = [b"p%05d" % number for number in range(processes)]
    begun = time.perf_counter_ns()
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    to_child, from_child = child.stdin.fileno(), child.stdout.fileno()
    read_until(from_child, b"READY\n")
    start_ns = time.perf_counter_ns() - begun
    time.sleep(options.get("idle_s", 0.5))  # let it settle: idle memory, not the start's
    idle = memory_kb(child.pid)
    times = []
    for serial in range(warmup + events):
        name = names[serial % processes]
        payload = PAYLOAD % (name, name, expected, 1000 + serial % 30000)
        event = HEADER % (serial, serial, len(payload)) + payload
        sent = time.perf_counter_ns()
        os.write(to_child, event)
        read_until(from_child, b"READY\n")
        if serial >= warmup:
            times.append(time.perf_counter_ns() - sent)
    after = memory_kb(child.pid)
    child.stdin.close()
    child.terminate()
    child.wait()
    # The middle of the last thousand at each power of ten: does history make it slower?
    at = [10 ** power for power in range(3, 9) if 10 ** power <= len(times)]
    windows = [[count, quantile(sorted(times[count - WINDOW:count]), 0.5)] for count in at]
    times.sort()
    print(json.dumps({
        "startMs": start_ns / 1e6,
        "p50Us": quantile(times, 0.5) if times else 0,
        "p99Us": quantile(times, 0.99) if times else 0,
        "maxUs": times[-1] / 1e3 if times else 0,
        "windows": windows,
        "idleKb": idle,
        "afterKb": after,
    }))


main()
