"""The index port: notes in by version, pages of hits out.

Two adapters, `elastic.ElasticIndex` and `embedded.TantivyIndex`, pass one contract suite
(tests/contract). What a caller may rely on:

- A state of a note replaces another only under a higher version; equal is a duplicate, lower is
  stale. A withdrawn note stays as a tombstone with its version and is left out of every answer.
- Search sees only what the query's reader may see, in hits, counts and highlights alike. Scores are
  made with the words of all notes: only who may see all of them is given any; others, an order.
- Facets count with every filter but their own.
- Pages by date or receipt are stable under writes. Those by relevance are read in one state of the
  index, for CURSOR_MINUTES from the first page on: no page prolongs that.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from schemas.answers import FacetCount, Hit
from schemas.events import ClassifiedNote
from schemas.query import Query

FACETS = ("theme", "subtheme", "country", "post", "genre", "language", "year")
CURSOR_MINUTES = 10
SNIPPET = 200
"""Characters of one highlighted fragment of a body, marks not counted."""
FRAGMENTS = 3
"""Highlighted fragments of a body at most."""


class Applied(StrEnum):
    """What became of one state of a note."""

    INDEXED = "indexed"
    STALE = "stale"
    DUPLICATE = "duplicate"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Rejected:
    """The index can never take this document (say, a mapping error): to be parked."""

    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search, as schemas.answers.SearchPage without the clock."""

    total: int
    total_is_exact: bool
    relaxed: bool
    hits: Sequence[Hit]
    facets: Mapping[str, Sequence[FacetCount]]
    next: str | None
    previous: str | None = None


class CursorExpired(Exception):
    """The cursor was good once (answer 410)."""


class CursorInvalid(ValueError):
    """The cursor is not one of ours, or belongs to another query (answer 422)."""


class RebuildLost(Exception):
    """The new index is gone: another rebuild has begun since, or somebody removed it."""


class Rebuilding(Protocol):
    """A new, empty index beside the one in use; no search sees it. See docs/adr/0008-rebuild.md.

    Unavailable and RebuildLost are raised by every method.
    """

    async def apply(self, notes: Sequence[ClassifiedNote]) -> list[Applied | Rejected]:
        """As Index.apply, on the new index alone."""
        ...

    async def forget(self, note_ids: Sequence[UUID]) -> None:
        """As Index.forget, on the new index alone."""
        ...

    async def forget_before(self, revisions: Mapping[UUID, int]) -> None:
        """As Index.forget_before, on the new index alone."""
        ...

    async def count(self) -> int:
        """How many notes the new index holds, tombstones not counted, all applied seen."""
        ...

    def exchange(self) -> AbstractAsyncContextManager[None]:
        """Put the new index in the place of the one in use.

        From the block's beginning on, what is applied to the index goes to the new one, or waits
        for the block's end. In the block the caller brings the new one what went to the old one
        only; at its end searches see the new one, under the generation that the old one had.
        """
        ...

    async def discard_old(self) -> None:
        """After the exchange: remove the old index, once no search can be under way in it."""
        ...

    async def abandon(self) -> None:
        """Remove the new index, unless it takes writes already. Safe to call at any point."""
        ...


class Index(Protocol):
    """Where notes are found. Unavailable is raised by every method where the engine is away."""

    @property
    def generation(self) -> str:
        """The name of this very index, known once started: one made anew has another.

        One that a rebuild has put in its place keeps it: it holds all that the old one had.

        Whoever fills the index reads the log as a group of that name, so that a new index gets
        all of the log.
        """
        ...

    async def start(self) -> None:
        """Open the index, create what is missing."""
        ...

    async def stop(self) -> None:
        """Close it; what was applied stays."""
        ...

    async def apply(self, notes: Sequence[ClassifiedNote]) -> list[Applied | Rejected]:
        """Take these states; one outcome each, in order. May hold several states of one note.

        When it returns every accepted state is durable. Search sees it after the next refresh
        (by itself within a second). Raises Unavailable when some were not taken and may be later:
        the caller hands over the whole batch again.
        """
        ...

    async def forget(self, note_ids: Sequence[UUID]) -> None:
        """Remove every trace of these notes (an expunged note's null value on the log)."""
        ...

    async def forget_before(self, revisions: Mapping[UUID, int]) -> None:
        """Remove those of these notes that stand in a revision before the one given.

        Whoever applies that revision meanwhile loses nothing, whichever of the two is first.
        """
        ...

    async def purge(self) -> None:
        """Have the words of removed and replaced documents leave the engine's files.

        They are out of every answer before that. May take as long as filling the index did.
        """
        ...

    async def refresh(self) -> None:
        """Make all that was applied visible to search now."""
        ...

    async def search(self, query: Query) -> Page:
        """The page that the query asks for. Raises CursorExpired, CursorInvalid."""
        ...

    async def stamp(self, query: Query) -> str:
        """A short text that becomes another when the hits of the query's first page do.

        Made of their ids and versions alone, far cheaper than the page; for queries by date or
        receipt. Notes with only some of the words are no hits here.
        """
        ...

    async def get(self, note_id: UUID) -> ClassifiedNote | None:
        """The latest state of a note, tombstones included; rights are the caller's to check."""
        ...

    async def count(self) -> int:
        """How many notes are held, tombstones not counted."""
        ...

    async def ready(self) -> bool:
        """Whether the engine answers now."""
        ...

    async def begin_rebuild(self) -> Rebuilding:
        """A new index beside this one; what an earlier rebuild left unfinished is removed."""
        ...
