#!/usr/bin/env python3
"""Runs a program as if the kernel were Linux 3.10: every system call that came later answers
ENOSYS. Usage: old_kernel.py PROGRAM [ARGUMENT...]

The filter is the kernel's own (seccomp), it is handed down to all children and cannot be taken off.
It goes by numbers, so it does not catch new flags of old calls.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

# The first number that Linux 3.10 has not: sched_setattr came with 3.14.
FIRST_NEWER = {"x86_64": 314, "aarch64": 274}
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
ALLOW = 0x7FFF0000
ENOSYS = 0x00050000 | errno.ENOSYS
KILL = 0x00000000

# Classic BPF, over {int number; int architecture; ...}.
LOAD = 0x20  # the 32-bit word at this offset
IF_EQUAL = 0x15
IF_NOT_BELOW = 0x35
RETURN = 0x06


def instruction(code, value, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, value)


def install(machine):
    program = b"".join([
        instruction(LOAD, 4),
        instruction(IF_EQUAL, AUDIT_ARCH[machine], 1, 0),
        instruction(RETURN, KILL),
        instruction(LOAD, 0),
        instruction(IF_NOT_BELOW, FIRST_NEWER[machine], 0, 1),
        instruction(RETURN, ENOSYS),
        instruction(RETURN, ALLOW),
    ])
    code = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in [(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header)]:
        if libc.prctl(*arguments) != 0:
            number = ctypes.get_errno()
            sys.exit(f"old_kernel.py: prctl({arguments[0]}): {os.strerror(number)}")


if __name__ == "__main__":
    install(platform.machine())
    os.execv(sys.argv[1], sys.argv[1:])
