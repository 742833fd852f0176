"""Turns for reading files: each caller has a fair share, submissions go before previews, and a file
that takes long lets others pass.

A file has a quick turn first. Where others wait and it is not read after a few seconds, its turn is
over, and it goes on in a slow one, of which there are fewer than places: one place is always left
for what is quick. A preview is treated so from the beginning, where submissions come here too.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from services.runtime.errors import Unavailable

AT_ONCE = 2
"""Processes at a time, each with its memory; other files wait for their turn."""
QUICK_SECONDS = 5.0
"""For a turn while others wait: a note takes half a second, a PDF of 300 full pages three."""
WAIT_SECONDS = 30.0
"""For a turn to come, then 503: with the 15 s for room, under a proxy's patience (60 s)."""
AGED_SECONDS = 10.0
"""Whoever has waited so long counts as quick and as a submission, so that nobody waits for ever."""
WAITING_OF_CALLER = 16
"""Files of one caller that may wait: the command sends 8 at a time."""
RETRY_AFTER_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose file it is, and what for; `slow` where it has had its quick turn."""

    caller: str = ""
    preview: bool = False
    slow: bool = False

    def slower(self) -> "Asker":
        """The same, once the quick turn is over."""
        return replace(self, slow=True)

    @property
    def rank(self) -> int:
        """Submissions before previews, of either the quick ones first."""
        return 2 * self.preview + self.slow


@dataclass(eq=False)
class Turn:
    """One place, had by one file until it is given back; `over` once it should be."""

    asker: Asker
    over: asyncio.Event = field(default_factory=asyncio.Event)
    due: bool = False


@dataclass(eq=False)
class _Waiting:
    asker: Asker
    since: float
    granted: asyncio.Future[Turn]


class Turns:
    """So many places for files, of which previews leave one free where `for_submissions`."""

    def __init__(self, places: int = AT_ONCE, *, for_submissions: bool = True) -> None:
        self._places = places
        self._for_submissions = for_submissions
        self._held: dict[Turn, asyncio.TimerHandle] = {}
        self._waiting: list[_Waiting] = []
        self._served: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, asker: Asker) -> AsyncIterator[Turn]:
        """A place in the block. Raises Unavailable where there is none in time."""
        turn = await self._wait(asker)
        try:
            yield turn
        finally:
            self._give_back(turn)

    @property
    def waiting(self) -> int:
        """How many files wait for a turn."""
        return len(self._waiting)

    async def _wait(self, asker: Asker) -> Turn:
        if sum(one.asker.caller == asker.caller for one in self._waiting) >= WAITING_OF_CALLER:
            raise _unavailable("one caller has too many documents to read")
        loop = asyncio.get_running_loop()
        mine = _Waiting(asker, loop.time(), loop.create_future())
        self._waiting.append(mine)
        self._grant()
        self._recall()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await mine.granted
        except BaseException as error:
            if mine in self._waiting:
                self._waiting.remove(mine)
            elif mine.granted.done() and not mine.granted.cancelled():
                self._give_back(mine.granted.result())
            if isinstance(error, TimeoutError):
                raise _unavailable("too many documents are being read") from None
            raise

    def _grant(self) -> None:
        """Give what is free to those whose turn it is."""
        while len(self._held) < self._places:
            may = [one for one in self._waiting if self._may(one.asker)]
            if not may:
                return
            first = min(may, key=self._order)
            self._waiting.remove(first)
            if first.granted.cancelled():
                continue
            turn, loop = Turn(first.asker), asyncio.get_running_loop()
            self._held[turn] = loop.call_later(QUICK_SECONDS, self._is_due, turn)
            self._served[first.asker.caller] = max(self._served.values(), default=0) + 1
            first.granted.set_result(turn)

    def _give_back(self, turn: Turn) -> None:
        self._held.pop(turn).cancel()
        self._grant()
        callers = {turn.asker.caller for turn in self._held}
        callers |= {one.asker.caller for one in self._waiting}
        for gone in self._served.keys() - callers:
            del self._served[gone]

    def _may(self, asker: Asker) -> bool:
        restricted = sum(self._restricted(turn.asker) for turn in self._held)
        return not self._restricted(asker) or restricted < max(1, self._places - 1)

    def _restricted(self, asker: Asker) -> bool:
        return asker.slow or (asker.preview and self._for_submissions)

    def _order(self, one: _Waiting) -> tuple[int, int, int]:
        """Whoever has fewest turns now goes first; then by what it is for; then in turn."""
        caller = one.asker.caller
        held = sum(turn.asker.caller == caller for turn in self._held)
        aged = asyncio.get_running_loop().time() - one.since >= AGED_SECONDS
        return held, 0 if aged else one.asker.rank, self._served[caller]

    def _is_due(self, turn: Turn) -> None:
        turn.due = True
        self._recall()

    def _recall(self) -> None:
        """Have turns that are due end for those who wait, one for each."""
        recalled = sum(turn.over.is_set() for turn in self._held)
        for one in self._waiting[recalled:]:
            turn = next((turn for turn in self._held if self._gives_way(turn, one.asker)), None)
            if turn is not None:
                turn.over.set()

    def _gives_way(self, turn: Turn, asker: Asker) -> bool:
        """Whether that turn ends for this file: never for another of the same caller's, nor one of
        a submission for a preview, nor one that would be no use."""
        return (
            turn.due
            and not turn.over.is_set()
            and turn.asker.caller != asker.caller
            and turn.asker.preview >= asker.preview
            and (self._restricted(turn.asker) or not self._restricted(asker))
        )


def _unavailable(reason: str) -> Unavailable:
    return Unavailable(reason, retry_after=RETRY_AFTER_SECONDS)
