"""What the registry said a moment ago: believed for a few seconds, longer while it is away."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from services.runtime.errors import Unavailable
from services.runtime.registry import aside

REMEMBERED_SECONDS = 5.0
"""How long an answer is believed without asking the registry again."""
AWAY_SECONDS = 600.0
"""How long, while the registry does not answer: reading goes on through its restart."""
REMEMBERED = 10_000
"""Answers remembered at once; the longest unused is forgotten first."""

T = TypeVar("T")


class Remembered(Generic[T]):
    """Answers of a blocking `look_up` by name. That something is unknown is not remembered."""

    def __init__(
        self, look_up: Callable[[str], T | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look_up = look_up
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, T]] = OrderedDict()

    async def get(self, name: str) -> T | None:
        """What is known under that name. Raises Unavailable where the registry has to say it."""
        now = self._clock()
        known = self._known.get(name)
        if known is not None and now - known[0] < REMEMBERED_SECONDS:
            return known[1]
        try:
            found = await aside(self._look_up, name)
        except Unavailable:
            if known is None or now - known[0] > AWAY_SECONDS:
                raise
            return known[1]
        self.forget(name)
        if found is not None:
            self._known[name] = now, found
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found

    def knows(self, name: str) -> bool:
        """Whether something is remembered of it, however old."""
        return name in self._known

    def forget(self, name: str) -> None:
        """Ask the registry the next time."""
        self._known.pop(name, None)
