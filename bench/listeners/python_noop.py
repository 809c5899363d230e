"""A listener that does nothing, as the tutorials begin: the floor for any interpreted one."""
import sys

from supervisor import childutils

while True:
    childutils.listener.wait(sys.stdin, sys.stdout)
    childutils.listener.ok(sys.stdout)
