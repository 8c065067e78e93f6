"""Starts a command as an init system or a container engine would confine it. Run as root, with JSON in its argument.

The file system is read-only but for `writable`, and `readable` can be read by everybody; the user is `user`. Of system
calls only `calls`, of sockets only `families` are let through (all, if `calls` is empty), and memory is never writable
and executable at once where the kernel can forbid it.
"""

import ctypes
import errno
import json
import os
import signal
import socket
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 1, 38, 65
SCMP_ACT_ALLOW, SCMP_CMP_EQ = 0x7FFF0000, 4


class Comparison(ctypes.Structure):
    """libseccomp's scmp_arg_cmp."""

    _fields_ = [
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("more", ctypes.c_uint64),
    ]


def done(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def open_up(readable: str) -> None:
    """Lets everybody read a folder that lies in one that is its owner's alone, of which nothing else remains."""
    closed = [folder for folder in Path(readable).parents if not folder.stat().st_mode & 1]
    if closed:
        here = os.open(readable, os.O_PATH)
        done(LIBC.mount(b"tmpfs", str(closed[-1]).encode(), b"tmpfs", 0, b"mode=755"))
        os.makedirs(readable)
        done(LIBC.mount(f"/proc/self/fd/{here}".encode(), readable.encode(), None, MS_BIND, None))


def make_read_only(writable: list[str]) -> None:
    """Everything, but these folders."""
    for folder in writable:
        done(LIBC.mount(folder.encode(), folder.encode(), None, MS_BIND, None))
    set_attributes("/", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0)
    for folder in writable:
        set_attributes(folder, 0, 0, MOUNT_ATTR_RDONLY)


def set_attributes(path: str, flags: int, add: int, remove: int) -> None:
    attributes = (ctypes.c_uint64 * 4)(add, remove, 0, 0)
    done(LIBC.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, path.encode(), flags, attributes, ctypes.sizeof(attributes)))


def become(user: int) -> None:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


def let_through(calls: list[str], families: list[str]) -> None:
    """Every other system call, and every other kind of socket, fails with EPERM."""
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(0x00050000 | errno.EPERM))
    for name in calls:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0 and name != "socket":
            seccomp.seccomp_rule_add_array(context, SCMP_ACT_ALLOW, number, 0, None)
    number = seccomp.seccomp_syscall_resolve_name(b"socket")
    for family in families:
        comparison = Comparison(0, SCMP_CMP_EQ, getattr(socket, family), 0)
        seccomp.seccomp_rule_add_array(context, SCMP_ACT_ALLOW, number, 1, ctypes.byref(comparison))
    if seccomp.seccomp_load(context):
        raise OSError("the filter of system calls could not be loaded")


def main(
    writable: list[str], readable: str, user: int, command: list[str], calls: list[str], families: list[str]
) -> None:
    done(LIBC.unshare(CLONE_NEWNS))
    done(LIBC.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    open_up(readable)
    make_read_only(writable)
    become(user)
    os.umask(0o077)
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    done(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if calls:
        LIBC.prctl(PR_SET_MDWE, 1, 0, 0, 0)
        let_through(calls, families)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
