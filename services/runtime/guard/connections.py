"""Connections of which nobody knows yet whose they are: so many of an address, so many in all."""

import resource
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Protocol

from services.runtime.guard.addresses import Networks, counted_as

OF_ADDRESS = 128
"""Of one address. A browser opens six; those on which a key or a session was shown do not count."""
YOUNG_SECONDS = 1.0
"""So long a new connection is left alone, however many there are: who comes in a crowd has not yet
been read."""

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

    Where there are too many, the oldest idle ones give way: a new one is about to say something. A
    proxy's own connections are not counted.
    """

    def __init__(
        self,
        proxies: str = "",
        most: int = FILES // SHARE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proxies = Networks(proxies)
        self._most = most
        self._clock = clock
        self._all: dict[Connection, str] = {}
        self._of_address: dict[str, dict[Connection, float]] = {}

    def opened(self, connection: Connection, address: str) -> None:
        """Count a new connection from there; where that is one too many, others hang up."""
        if address in self._proxies:
            return
        name = counted_as(address)
        self._all[connection] = name
        same = self._of_address.setdefault(name, {})
        same[connection] = self._clock()
        if len(same) > OF_ADDRESS:
            self._end(islice(self._idle(same), len(same) - OF_ADDRESS))
        if len(self._all) > self._most:
            self._end(islice((one for one in self._all if one.idle), 1))

    def forget(self, connection: Connection) -> None:
        """Count it no more: somebody known has spoken on it, or it has ended."""
        name = self._all.pop(connection, None)
        if name is not None:
            del self._of_address[name][connection]
            if not self._of_address[name]:
                del self._of_address[name]

    def _idle(self, same: dict[Connection, float]) -> Iterator[Connection]:
        """Those of an address that may give way, the oldest first."""
        old = self._clock() - YOUNG_SECONDS
        for connection, since in same.items():
            if since > old:
                return
            if connection.idle:
                yield connection

    def _end(self, some: Iterator[Connection]) -> None:
        for connection in list(some):
            self.forget(connection)
            connection.hang_up()
