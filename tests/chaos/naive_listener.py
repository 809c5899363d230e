"""A listener as the tutorials have it: answers at once and compares nothing afterwards.

Usage: naive_listener.py FILE; writes the name of each process that it hears of into FILE.
"""
import sys

from supervisor import childutils

with open(sys.argv[1], "a", buffering=1) as heard:
    while True:
        _, payload = childutils.listener.wait(sys.stdin, sys.stdout)
        heard.write(childutils.get_headers(payload)["processname"] + "\n")
        childutils.listener.ok(sys.stdout)
