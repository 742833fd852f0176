"""What a process gives up before it reads a file from outside, never to have it again.

Memory and time (the kernel's limits of resources), the rights of its user, files, connections and
other processes (`landlock`), and all calls but the few that reading takes (`seccomp`). None of
it needs a right, so it holds in a container too; where the kernel or the machine lacks one fence,
the others stand.
"""

import ctypes
import logging
import os
import resource
import signal
import struct
from contextlib import suppress
from functools import cache

from services.ingest.formats import landlock, seccomp
from services.runtime.inspection import refuse_inspection

logger = logging.getLogger(__name__)

NOBODY = 65534
"""The user and group to whom nothing belongs, on every Linux."""

_PARENT_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38
"""Of prctl (linux/prctl.h)."""
_CAPABILITIES = 0x20080522
"""The layout in which capabilities are asked for and given up (linux/capability.h)."""
_KILL = 1 << 5
"""The capability to signal processes of other users."""
_MOST_OPEN = 1_024
"""Descriptors that are closed; a process of ours has a handful."""


def confine(memory_bytes: int, seconds: int) -> bool:
    """Give up all that reading a document does not need; no file can be opened any more.

    False where no filter of calls is known for this kernel and machine: then the other fences
    stand, and where there is no Landlock either, the limits of resources alone.
    """
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_NPROC, 0),
    ):
        most = resource.getrlimit(limit)[1]
        allowed = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(limit, (allowed, allowed))
    _first_to_go()
    os.closerange(3, _MOST_OPEN)
    _become_nobody()
    refuse_inspection()
    # A service that is killed leaves nobody reading what no one waits for.
    libc = ctypes.CDLL(None)
    libc.prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    landlock.shut_in()
    return seccomp.allow_only_reading()


@cache
def warn_of_gaps() -> None:
    """Say in the log, once, which fences this kernel and machine lack."""
    if not landlock.version():
        logger.warning("documents are read without Landlock: this kernel has none")
    if not seccomp.known():
        logger.warning("documents are read without a filter of system calls: none is known here")


def _first_to_go() -> None:
    """Where memory runs out, the kernel ends this process and not the service that started it."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:  # noqa: PTH123
            score.write("1000")
    except OSError:
        logger.debug("no oom_score_adj here")


def _become_nobody() -> None:
    """Leave the administrator's user, where this is it, and every right beyond a user's own."""
    head = ctypes.create_string_buffer(struct.pack("Ii", _CAPABILITIES, 0))
    held = ctypes.create_string_buffer(24)
    libc = ctypes.CDLL(None)
    libc.capget(head, held)
    # Without this right the service, which has none that we have not, could not end us.
    if os.geteuid() == 0 and int.from_bytes(held.raw[:4], "little") & _KILL:
        with suppress(OSError):  # a container may know no other user
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
    libc.capset(head, ctypes.create_string_buffer(24))
