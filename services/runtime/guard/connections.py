"""Connections of which nobody knows yet whose they are: so many of an address, so many in all."""

import resource
from collections import Counter
from typing import Protocol

from services.runtime.guard.addresses import Networks, counted_as

OF_ADDRESS = 128
"""Of one address. A browser opens six; those on which a key or a session was shown do not count."""

FILES = 16_384
"""Open files that a process asks the system for; many systems give 1,024 unless they are asked."""
SHARE = 2
"""Half of the open files at most: the others are for known callers and for the engines."""


class Connection(Protocol):
    """A connection, as far as it is counted."""

    @property
    def idle(self) -> bool:
        """Whether no request of it is being answered."""
        ...

    def hang_up(self) -> None:
        """End it at once."""
        ...


def raise_files() -> int:
    """Have the system let this process open as many files as it may, up to FILES; how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return most if soft == resource.RLIM_INFINITY else soft


class Connections:
    """Those of one process on which nobody known has asked anything, the oldest first.

    Where there are too many, the oldest idle one gives way: a new one is about to say something. A
    proxy's own connections are not counted.
    """

    def __init__(self, proxies: str = "", most: int = FILES // SHARE) -> None:
        self._proxies = Networks(proxies)
        self._most = most
        self._unknown: dict[Connection, str] = {}
        self._of_address: Counter[str] = Counter()

    def opened(self, connection: Connection, address: str) -> None:
        """Count a new connection from there; where that is one too many, an idle one hangs up."""
        if address in self._proxies:
            return
        name = counted_as(address)
        self._unknown[connection] = name
        self._of_address[name] += 1
        if self._of_address[name] > OF_ADDRESS:
            self._end_one([one for one, its in self._unknown.items() if its == name])
        elif len(self._unknown) > self._most:
            self._end_one(list(self._unknown))

    def forget(self, connection: Connection) -> None:
        """Count it no more: somebody known has spoken on it, or it has ended."""
        name = self._unknown.pop(connection, None)
        if name is not None:
            self._of_address[name] -= 1
            if not self._of_address[name]:
                del self._of_address[name]

    def _end_one(self, candidates: list[Connection]) -> None:
        """Hang up on the first idle one: the last of them, which is new, is."""
        first = next(one for one in candidates if one.idle)
        self.forget(first)
        first.hang_up()
