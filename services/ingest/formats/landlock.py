"""Landlock: the kernel's own fence round a process that is no administrator (Linux 5.13 and later).

A process shut in by it opens no file and no folder, whatever its user may read, makes no
connection, and neither signals a process outside nor looks into one. It can never undo that.
"""

import ctypes
import logging
import os
import struct

logger = logging.getLogger(__name__)

_CREATE_RULESET, _RESTRICT_SELF = 444, 446
"""Numbers of the calls, the same on all machines that Python is built for."""
_VERSION = 1
"""Asks `_CREATE_RULESET` for the version of the kernel's Landlock, and for nothing else."""
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights over files a version knows: from 3 on truncating, from 5 on device commands."""
_TCP_RIGHTS = 0b11
"""Binding and connecting, from version 4 on."""
_SCOPES = 0b11
"""Abstract sockets and signals outside, from version 6 on."""


def version() -> int:
    """The version of the kernel's Landlock; 0 where it has none, or has it switched off."""
    return max(_call(_CREATE_RULESET, None, 0, _VERSION), 0)


def shut_in() -> bool:
    """Refuse this process every file, connection and signal that this kernel's Landlock knows of.

    What is open stays open. It must have sworn off new privileges before (no_new_privs). False
    where there is no Landlock.
    """
    known = version()
    if not known:
        return False
    refused = _refused(known)
    rules = _call(_CREATE_RULESET, refused, len(refused), 0)
    if rules < 0:
        logger.warning("no rules for Landlock: %s", os.strerror(ctypes.get_errno()))
        return False
    try:
        return _call(_RESTRICT_SELF, rules, 0) == 0
    finally:
        os.close(rules)


def _refused(known: int) -> bytes:
    """The kernel's `landlock_ruleset_attr`, as long as this version knows it. No rule follows it
    that would allow any of this somewhere."""
    files = (1 << max(count for since, count in _FILE_RIGHTS.items() if since <= known)) - 1
    if known < 4:
        return struct.pack("Q", files)
    if known < 6:
        return struct.pack("QQ", files, _TCP_RIGHTS)
    return struct.pack("QQQ", files, _TCP_RIGHTS, _SCOPES)


def _call(number: int, *arguments: int | bytes | None) -> int:
    """The kernel's answer; -1 with errno set."""
    calls = ctypes.CDLL(None, use_errno=True).syscall
    calls.restype = ctypes.c_long
    given = (ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)
    return int(calls(ctypes.c_long(number), *given))
