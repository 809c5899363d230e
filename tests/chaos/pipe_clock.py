"""Stands between supervisord and a listener and measures how long each answer takes.

Usage: pipe_clock.py FILE COMMAND...; command= of the listener's section. All bytes pass through
unchanged. For each event one line with microseconds goes to FILE: from the moment when the event
lay in our stdin to the moment when its RESULT lay in the pipe to supervisord.
"""
import os
import select
import signal
import subprocess
import sys
import time


def main():
    out = open(sys.argv[1], "a", buffering=1)
    child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    to_child, from_child = child.stdin.fileno(), child.stdout.fileno()
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(from_child, select.POLLIN)
    asked_ns = None
    while True:
        for fd, _ in poll.poll():
            data = os.read(fd, 65536)
            if fd == 0:
                if not data:
                    poll.unregister(0)
                    child.stdin.close()
                    continue
                if asked_ns is None:  # else a further piece of the same event
                    asked_ns = time.perf_counter_ns()
                os.write(to_child, data)
                continue
            if not data:
                sys.exit(child.wait())
            os.write(1, data)
            if asked_ns is not None and b"RESULT" in data:
                out.write("%d\n" % ((time.perf_counter_ns() - asked_ns) // 1000))
                asked_ns = None


main()
