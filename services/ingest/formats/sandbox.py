"""What a process gives up before it reads a file from outside: memory, time, network, programs.

Two fences, both set by the process on itself and never to be undone: the kernel's limits of
resources, and a filter of system calls (seccomp) that refuses sockets, new programs, changes of
files and looks into other processes. Neither needs any right, so they hold in a container too.
"""

import ctypes
import errno
import logging
import os
import platform
import resource
import signal
import struct

logger = logging.getLogger(__name__)

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
"""Instructions of the kernel's filter language (linux/bpf_common.h)."""
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_OTHER_ABI = 0x40000000
"""From here on, numbers of x86-64's second set of calls (x32), which would go round the filter."""
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_PARENT_DEATH_SIGNAL = 1

_SOCKETS = {  # socket, connect, accept, sendto, sendmsg, bind, listen, socketpair, accept4
    "x86_64": (41, 42, 43, 44, 46, 49, 50, 53, 288),
    "aarch64": (198, 203, 202, 206, 211, 200, 201, 199, 242),
}
_PROCESSES = {  # clone, fork, vfork, clone3, execve, execveat, ptrace, process_vm_readv and _writev
    "x86_64": (56, 57, 58, 435, 59, 322, 101, 310, 311),
    "aarch64": (220, 435, 221, 281, 117, 270, 271),
}
_CHANGES = {  # of files: truncate, rename, link, symlink, unlink, chmod; io_uring_setup
    "x86_64": (76, 77, 82, 264, 316, 86, 265, 88, 266, 87, 263, 90, 268, 425),
    "aarch64": (45, 46, 38, 276, 37, 36, 35, 53, 425),
}
_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The machines whose calls are known, by their names, with their numbers in the kernel's audit."""


def confine(memory_bytes: int, seconds: int) -> bool:
    """Give up all that reading a document does not need. False where the kernel knows no filter of
    calls for this machine: then the limits of resources stand alone.
    """
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        most = resource.getrlimit(limit)[1]
        allowed = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(limit, (allowed, allowed))
    _first_to_go()
    # A service that is killed leaves nobody reading what no one waits for.
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    name = platform.machine()
    if name not in _MACHINES:
        return False
    return _filter_calls(_MACHINES[name], _SOCKETS[name] + _PROCESSES[name] + _CHANGES[name])


def _first_to_go() -> None:
    """Where memory runs out, the kernel ends this process and not the service that started it."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:  # noqa: PTH123
            score.write("1000")
    except OSError:
        logger.debug("no oom_score_adj here")


def _filter_calls(machine: int, refused: tuple[int, ...]) -> bool:
    checks = len(refused)
    program = [
        (_LOAD, 0, 0, 4),  # the machine
        (_EQUAL, 0, checks + 3, machine),
        (_LOAD, 0, 0, 0),  # the call's number
        (_AT_LEAST, checks + 1, 0, _OTHER_ABI),
        *((_EQUAL, checks - at, 0, number) for at, number in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    head = ctypes.create_string_buffer(
        struct.pack("H6xP", len(program), ctypes.addressof(code)), struct.calcsize("H6xP")
    )
    libc = ctypes.CDLL(None, use_errno=True)
    done: bool = libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    done = done and libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(head), 0, 0) == 0
    if not done:
        logger.warning("no filter of system calls here: %s", os.strerror(ctypes.get_errno()))
    return done
