"""Checking the journal's chain: what was changed, removed, put in or swapped, and where. Pure.

Every entry must have the next number, and the hash that follows from the one before. What was
removed at the end does not show by this: a head that was noted elsewhere tells.
"""

import json
import re
from collections.abc import Iterable

from schemas.journal import JournalCheck, JournalFault
from services.runtime.registry.chain import EMPTY, EntryRow, Head, link

MOST_FAULTS = 50
"""Faults that are told: behind the first, more of them say little."""

_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})", re.ASCII)

FOLLOWS_NOT = (
    "L'entrée {number} ne suit pas la précédente : elle a été modifiée, ajoutée ou déplacée, ou "
    "c'est la précédente."
)


def parse_head(text: str) -> Head | None:
    """A head as it was noted, NUMBER:HASH; None for what is none."""
    found = _HEAD.fullmatch(text.strip())
    return Head(int(found[1]), found[2]) if found else None


class Check:
    """A check under way: fed with all entries in their order, then asked for its result.

    `anchor` is the latest entry about a pruning, `noted` a head that was noted before.
    """

    def __init__(self, anchor: EntryRow | None = None, noted: Head | None = None) -> None:
        self._start = EMPTY if anchor is None else _pruned_to(anchor)
        self._noted = noted
        self._head: Head | None = None
        self._first: int | None = None
        self._entries = 0
        self._faults: list[JournalFault] = []

    def feed(self, rows: Iterable[EntryRow]) -> None:
        """The next entries."""
        for row in rows:
            before = self._head or self._start
            if row.number > before.number + 1:
                self._missing(before.number + 1, row.number - 1)
            elif row.number <= before.number:
                self._fault(row.number, f"L'entrée {row.number} aurait dû être retirée.")
            elif link(before.hash, row.number, row.draft) != row.hash:
                self._fault(row.number, FOLLOWS_NOT.format(number=row.number))
            if self._first is None:
                self._first = row.number
            self._head = Head(row.number, row.hash)
            self._entries += 1
            if self._noted is not None and self._noted.number == row.number:
                self._compare(self._noted, self._head)

    def result(self) -> JournalCheck:
        """What was found, once all entries were fed."""
        last = self._head or self._start
        if self._noted is not None:
            if self._noted.number > last.number:
                self._missing(last.number + 1, self._noted.number)
            elif self._noted.number == self._start.number:
                self._compare(self._noted, self._start)
        return JournalCheck(
            whole=not self._faults,
            entries=self._entries,
            first=self._first,
            head=None if self._head is None else str(self._head),
            faults=self._faults,
        )

    def _compare(self, noted: Head, found: Head) -> None:
        if noted != found:
            self._fault(
                noted.number,
                f"L'entrée {noted.number} n'a pas l'empreinte relevée : le journal a été refait.",
            )

    def _missing(self, first: int, last: int) -> None:
        alone = first == last
        which = f"L'entrée {first} manque." if alone else f"Les entrées {first} à {last} manquent."
        self._fault(first, which)

    def _fault(self, number: int, detail: str) -> None:
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(JournalFault(number=number, detail=detail))


def _pruned_to(anchor: EntryRow) -> Head:
    """What the oldest entry left follows. An anchor that says nothing readable is an altered one:
    the entry after it will be found not to follow."""
    try:
        details = json.loads(anchor.draft.details)
        return Head(int(anchor.draft.object), str(details["hash"]))
    except (ValueError, KeyError, TypeError):
        return EMPTY
