"""A filter of system calls (seccomp): what this process may still ask of the kernel.

Few calls are allowed, all others refused (EPERM), those of kernels to come among them. Opening is
not among the few: the filter cannot read a path, so it lets none through.
"""

import ctypes
import errno
import logging
import os
import platform
import struct

logger = logging.getLogger(__name__)

Step = tuple[int, int, int, int]
"""An instruction of the kernel's filter language: its code, how many steps to skip where it is
true and where it is not, its number (linux/bpf_common.h)."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
"""Where in the kernel's `seccomp_data` these stand; an argument has eight bytes."""
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_OTHER_CALLS = 0x40000000
"""From here on, numbers of x86-64's second set of calls (x32), which are none of ours."""
_SET_SECCOMP, _FILTER = 22, 2
_EXECUTABLE = 0x4
"""Of mmap and mprotect: memory that can be run."""

_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The machines whose calls are known, by their names, with their numbers in the kernel's audit."""

_CALLS = {
    # What is open: the request, the answers, nowhere.
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "lseek": (8, 62),
    "close": (3, 57),
    # Its own memory.
    "brk": (12, 214),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    # Itself: its locks, its signals, its end.
    "futex": (202, 98),
    "sched_yield": (24, 124),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "restart_syscall": (219, 128),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "exit": (60, 93),
    "exit_group": (231, 94),
    # Time, chance, and how much memory there is (glibc's sorting asks).
    "clock_gettime": (228, 113),
    "gettimeofday": (96, 169),
    "getrandom": (318, 278),
    "sysinfo": (99, 179),
}
"""The calls that are allowed whatever their arguments, with their numbers on x86-64 and ARM64."""
_MMAP, _MPROTECT, _TGKILL = (9, 222), (10, 226), (234, 131)


def known() -> bool:
    """Whether this kernel has such filters, and this machine's calls are known."""
    if platform.machine() not in _MACHINES:
        return False
    # A filter at no address: the kernel that knows filters finds fault with the address.
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SET_SECCOMP, _FILTER, None, 0, 0)
    return ctypes.get_errno() == errno.EFAULT


def allow_only_reading() -> bool:
    """Leave this process the calls with which it reads what it has in memory, and answers.

    It has one thread and stays so, and must have sworn off new privileges before (no_new_privs).
    False where there is no such filter.
    """
    name = platform.machine()
    if name not in _MACHINES:
        return False
    steps = _program(_MACHINES[name], tuple(_MACHINES).index(name), os.getpid())
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    head = ctypes.create_string_buffer(
        struct.pack("H6xP", len(steps), ctypes.addressof(code)), struct.calcsize("H6xP")
    )
    libc = ctypes.CDLL(None, use_errno=True)
    done: bool = libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(head), 0, 0) == 0
    if not done:
        logger.warning("no filter of system calls here: %s", os.strerror(ctypes.get_errno()))
    return done


def _program(machine: int, at: int, process: int) -> list[Step]:
    """The filter, for the `at`th machine."""
    steps: list[Step] = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 1, 0, machine),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _OTHER_CALLS),
        (_RETURN, 0, 0, _REFUSE),
    ]
    for numbers in _CALLS.values():
        steps += _allowed(numbers[at])
    steps += _allowed(_MMAP[at], 2, (_ANY_BIT, 1, 0, _EXECUTABLE))
    steps += _allowed(_MPROTECT[at], 2, (_ANY_BIT, 1, 0, _EXECUTABLE))
    # abort() signals its own process.
    steps += _allowed(_TGKILL[at], 0, (_EQUAL, 0, 1, process))
    return [*steps, (_RETURN, 0, 0, _REFUSE)]


def _allowed(number: int, argument: int = 0, test: Step | None = None) -> list[Step]:
    """Allow a call; with a test of an argument's lower half, which skips one step where it fails,
    only so."""
    verdict: list[Step] = [(_RETURN, 0, 0, _ALLOW)]
    if test is not None:
        where = _ARGUMENTS + 8 * argument  # both machines put the lower half first
        verdict = [(_LOAD, 0, 0, where), test, *verdict, (_RETURN, 0, 0, _REFUSE)]
    return [(_EQUAL, 0, len(verdict), number), *verdict]
