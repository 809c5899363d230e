"""Writes lines for supervisord to turn into PROCESS_LOG events, one event each, as fast as it
takes them. Usage: spam.py COUNT FILE; at the end FILE holds when it began, in seconds since 1970.

In packet mode (O_DIRECT) a pipe keeps writes apart, so that supervisord reads one line at a time;
as small as it gets, it holds one. The next line waits until supervisord has read the last.
"""
import fcntl
import os
import sys
import time

F_SETPIPE_SZ = 1031
LINE = b"2026-11-21 10:54:01,204 INFO  [worker-3] order 18827 was paid, 3 items, 0.204 s total\n"

fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_DIRECT)
fcntl.fcntl(1, F_SETPIPE_SZ, 4096)
begun = time.time()
for _ in range(int(sys.argv[1])):
    os.write(1, LINE)
with open(sys.argv[2] + ".part", "w") as result:
    result.write("%f" % begun)
os.rename(sys.argv[2] + ".part", sys.argv[2])
