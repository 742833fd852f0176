"""Ids of events: UUIDs that sort by the moment they were made."""

import secrets
import time
from uuid import UUID

_VERSION = 0x7
_VARIANT = 0b10


def uuid7(now_ns: int | None = None) -> UUID:
    """A UUID of version 7 (RFC 9562, section 5.7) for that moment, by default now.

    48 bits of Unix milliseconds, 12 of the fraction of a millisecond (section 6.2, method 3), 62
    of chance. `now_ns` counts nanoseconds since 1970.
    """
    now = time.time_ns() if now_ns is None else now_ns
    milliseconds, rest = divmod(now, 1_000_000)
    fraction = (rest << 12) // 1_000_000
    return UUID(
        int=(milliseconds & (2**48 - 1)) << 80
        | _VERSION << 76
        | fraction << 64
        | _VARIANT << 62
        | secrets.randbits(62)
    )
