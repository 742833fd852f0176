"""The note index of the embedded deployment: tantivy in a folder, one process.

Every `apply` is one commit, so that what it took is on the disk when it returns. After a crash the
folder holds the last commit, and the log delivers the rest again.
"""

import asyncio
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import tantivy

from schemas.answers import FacetCount, Highlights, Hit
from schemas.events import ClassifiedNote
from schemas.query import Query, Sort
from services.runtime.errors import Unavailable
from services.search.document import document
from services.search.index import (
    CURSOR_MINUTES,
    Applied,
    CursorExpired,
    CursorInvalid,
    Page,
    Rejected,
)
from services.search.index import embedded_query as ask
from services.search.index.analysis import says_something
from services.search.index.cursor import Place, decode, encode, order_of
from services.search.index.embedded_folder import open_index, open_writer, panics_as_errors
from services.search.index.embedded_schema import TIE, tantivy_document, tie_of
from services.search.index.facets import FACET_FIELDS, MAX_VALUES, counts
from services.search.index.highlight import Pattern, marked_fragments, marked_whole
from services.search.words import Words, parse

VIEW_SECONDS = 0.5
"""How old the state that searches see may get: half of the second that the port allows. It also
bounds the snapshots that cursors can hold: two a second for ten minutes."""
DEEPEST = 1_000_000
"""Hits by relevance that can be paged through: tantivy keeps a page's predecessors in memory."""

_SORT_FIELDS = {Sort.DATE: "date", Sort.RECEIVED: "received_us"}
ResultT = TypeVar("ResultT")
_Address = Any


@dataclass(slots=True)
class _View:
    """A state of the index, kept as long as a cursor may come back to it."""

    searcher: tantivy.Searcher
    taken: float
    used: float


class TantivyIndex:
    """The index port on tantivy. One writer and any number of searches, in worker threads."""

    def __init__(self, path: Path) -> None:
        """`path` is a folder of its own; nothing is opened before `start`."""
        self._path = path
        self._index: tantivy.Index | None = None
        self._writer: tantivy.IndexWriter | None = None
        self._writing = threading.Lock()
        self._viewing = threading.Lock()
        self._views: OrderedDict[str, _View] = OrderedDict()
        self._stale_view = True
        self._empty_at_start = False

    @property
    def empty_at_start(self) -> bool:
        """Whether `start` found no note at all: if the log has any, it must be replayed."""
        return self._empty_at_start

    async def start(self) -> None:
        """Open the folder. Raises Misconfigured where another process has it."""
        await _in_thread(self._start)

    async def stop(self) -> None:
        """Close the folder; everything applied is already on the disk."""
        await _in_thread(self._stop)

    async def apply(self, notes: Sequence[ClassifiedNote]) -> list[Applied | Rejected]:
        """Take these states in one commit; one outcome each, in order."""
        return await _in_thread(self._apply, notes)

    async def forget(self, note_ids: Sequence[UUID]) -> None:
        """Remove these notes, tombstones included."""
        await _in_thread(self._forget, note_ids)

    async def refresh(self) -> None:
        """Let searches see everything applied so far."""
        await _in_thread(self._view, fresh=True)

    async def search(self, query: Query) -> Page:
        """The page that the query asks for. Raises CursorExpired, CursorInvalid."""
        return await _in_thread(self._search, query)

    async def get(self, note_id: UUID) -> ClassifiedNote | None:
        """The latest state of a note, tombstones included."""
        return await _in_thread(self._get, note_id)

    async def count(self) -> int:
        """How many notes are held, tombstones not counted."""
        return await _in_thread(self._count)

    async def ready(self) -> bool:
        """Whether the folder is open."""
        return self._index is not None

    def _start(self) -> None:
        with self._writing:
            index = open_index(self._path)
            self._writer = open_writer(index, self._path)
            self._index = index
            self._empty_at_start = index.searcher().num_docs == 0

    def _stop(self) -> None:
        with self._writing, self._viewing:
            self._views.clear()
            self._writer = None
            self._index = None

    def _apply(self, notes: Sequence[ClassifiedNote]) -> list[Applied | Rejected]:
        with self._writing:
            versions = self._versions({note.note_id for note in notes})
            outcomes: list[Applied | Rejected] = []
            winners: dict[UUID, tantivy.Document] = {}
            for note in notes:
                known = versions.get(note.note_id, 0)
                if note.version <= known:
                    same = note.version == known
                    outcomes.append(Applied.DUPLICATE if same else Applied.STALE)
                    continue
                try:
                    winners[note.note_id] = tantivy_document(document(note))
                except (ValueError, TypeError, OverflowError) as error:
                    outcomes.append(Rejected(f"tantivy cannot take it: {error}"))
                    continue
                versions[note.note_id] = note.version
                outcomes.append(Applied.WITHDRAWN if note.withdrawn else Applied.INDEXED)
            if winners:
                with self._commit() as writer:
                    for note_id, made in winners.items():
                        writer.delete_documents_by_term("id", str(note_id))
                        writer.add_document(made)
            return outcomes

    def _forget(self, note_ids: Sequence[UUID]) -> None:
        with self._writing, self._commit() as writer:
            for note_id in note_ids:
                writer.delete_documents_by_term("id", str(note_id))

    @contextmanager
    def _commit(self) -> Iterator[tantivy.IndexWriter]:
        """The writer, and a commit after the block; all of it or nothing."""
        index = self._open_index()
        try:
            if self._writer is None:
                self._writer = open_writer(index, self._path)
            yield self._writer
            self._writer.commit()
            index.reload()
        except Exception as error:
            self._release_writer()
            raise Unavailable(f"the index could not be written: {error}") from error
        with self._viewing:
            self._stale_view = True

    def _release_writer(self) -> None:
        """Let go of a writer that failed: it stays unusable, and the next batch gets a new one.

        What it had not committed goes with it, and the log delivers it again. Only waiting for its
        threads frees the folder for the next writer while an error still refers to this one.
        """
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(Exception), panics_as_errors():
                writer.wait_merging_threads()

    def _versions(self, note_ids: Iterable[UUID]) -> dict[UUID, int]:
        """The stored version of each of these notes that is there."""
        by_tie = {tie_of(note_id): note_id for note_id in note_ids}
        if not by_tie:
            return {}
        searcher = self._open_index().searcher()
        there = _addresses(
            searcher.search(ask.one_of_ids(map(str, by_tie.values())), limit=len(by_tie)).hits
        )
        return {
            by_tie[tie]: version
            for tie, version in zip(
                _numbers(searcher, TIE, there),
                _numbers(searcher, "version", there),
                strict=True,
            )
        }

    def _get(self, note_id: UUID) -> ClassifiedNote | None:
        searcher = self._open_index().searcher()
        hits = searcher.search(ask.one_of_ids([str(note_id)]), limit=1).hits
        if not hits:
            return None
        return ClassifiedNote.model_validate_json(bytes(searcher.doc(hits[0][1])["event"][0]))

    def _count(self) -> int:
        searcher = self._open_index().searcher()
        return _total(searcher.search(ask.in_force(), limit=1))

    def _search(self, query: Query) -> Page:
        words = parse(query.words).keeping(says_something)
        order = order_of(query, words)
        place = decode(query, order)
        name, searcher = self._view(place.snapshot if place else None)
        page = _Pages(searcher, name, query, words, order)
        if place is not None:
            return page.made(place, relaxed=place.relaxed)
        first = page.made(None, relaxed=False)
        if first.total or not words.relaxable:
            return first
        relaxed = page.made(None, relaxed=True)
        return relaxed if relaxed.total else first

    def _view(
        self, name: str | None = None, *, fresh: bool = False
    ) -> tuple[str, tantivy.Searcher]:
        """A state to search in: the one a cursor names, else the current one."""
        index = self._open_index()
        now = time.monotonic()
        with self._viewing:
            oldest = now - CURSOR_MINUTES * 60
            for old in [key for key, view in self._views.items() if view.used < oldest]:
                del self._views[old]
            if name is not None:
                if name not in self._views:
                    raise CursorExpired(name)
                current = name
            else:
                current = next(reversed(self._views), "")
                view = self._views.get(current)
                late = view is None or now - view.taken >= VIEW_SECONDS
                if view is None or (self._stale_view and (fresh or late)):
                    self._stale_view = False
                    current = uuid4().hex
                    self._views[current] = _View(index.searcher(), now, now)
            self._views[current].used = now
            return current, self._views[current].searcher

    def _open_index(self) -> tantivy.Index:
        if self._index is None:
            raise Unavailable("the index is not open")
        return self._index


@dataclass(frozen=True, slots=True)
class _Pages:
    """The pages of one query in one state of the index."""

    searcher: tantivy.Searcher
    view: str
    query: Query
    words: Words
    order: Sort

    def made(self, place: Place | None, *, relaxed: bool) -> Page:
        search = ask.build(self.query, self.words, relaxed=relaxed)
        everything = search.without()
        if self.order is Sort.RELEVANCE:
            total, found, following = self._by_relevance(everything, place, relaxed)
        else:
            total, found, following = self._by_number(everything, place, relaxed)
        marks = ask.patterns(self.words)
        return Page(
            total=total,
            total_is_exact=True,
            relaxed=relaxed,
            hits=[self._hit(address, score, marks) for address, score in found],
            facets=self._facets(search),
            next=encode(self.query, following) if following else None,
        )

    def _by_relevance(
        self, everything: tantivy.Query, place: Place | None, relaxed: bool
    ) -> tuple[int, list[tuple[_Address, float | None]], Place | None]:
        passed = int(place.value) if place else 0
        if not 0 <= passed <= DEEPEST:
            raise CursorInvalid("the cursor points nowhere")
        size = self.query.size
        result = self.searcher.search(everything, limit=size, offset=passed)
        total = _total(result)
        more = passed + size < total
        following = Place(value=passed + size, snapshot=self.view, relaxed=relaxed)
        found = [(address, score) for score, address in result.hits]
        return total, found, following if more else None

    def _by_number(
        self, everything: tantivy.Query, place: Place | None, relaxed: bool
    ) -> tuple[int, list[tuple[_Address, float | None]], Place | None]:
        """Newest first, then by id: tantivy sorts by one number, so ties are asked for apart."""
        field = _SORT_FIELDS[self.order]
        wanted = self.query.size + 1
        total = _total(self.searcher.search(everything, limit=1))
        found: list[_Address] = []
        if place is not None and place.id is not None:
            after = ask.at_most(TIE, tie_of(UUID(place.id)), included=False)
            found = self._tied(everything, field, int(place.value), wanted, after)
            rest = ask.every([everything, ask.at_most(field, int(place.value), included=False)])
        else:
            rest = everything
        if len(found) < wanted:
            found += self._sorted(rest, field, wanted - len(found))
        page = found[: self.query.size]
        following = None
        if len(found) == wanted:
            last = page[-1]
            following = Place(
                value=_numbers(self.searcher, field, [last])[0], id=self._id(last), relaxed=relaxed
            )
        return total, [(address, None) for address in page], following

    def _sorted(self, matching: tantivy.Query, field: str, wanted: int) -> list[_Address]:
        """The first hits by (field, id), both falling."""
        hits = self.searcher.search(matching, limit=wanted, order_by_field=field).hits
        if not hits:
            return []
        lowest = hits[-1][0]
        above = _addresses(hit for hit in hits if hit[0] != lowest)
        keys = zip(
            _numbers(self.searcher, field, above),
            _numbers(self.searcher, TIE, above),
            strict=True,
        )
        ranked = sorted(zip(keys, range(len(above)), strict=True), reverse=True)
        return [above[at] for _, at in ranked] + self._tied(
            matching, field, lowest, len(hits) - len(above)
        )

    def _tied(
        self,
        matching: tantivy.Query,
        field: str,
        value: int,
        wanted: int,
        *more: tantivy.Query,
    ) -> list[_Address]:
        """The first hits with this very value, by id."""
        same = ask.every([matching, ask.equal_to(field, value), *more])
        return _addresses(self.searcher.search(same, limit=wanted, order_by_field=TIE).hits)

    def _hit(self, address: _Address, score: float | None, marks: Sequence[Pattern]) -> Hit:
        kept = self.searcher.doc(address)
        highlights = Highlights()
        if marks:
            note = _stored(kept, "event")["note"]
            highlights = Highlights(
                subject=marked_whole(note["subject"], marks, ask.stem),
                body=marked_fragments(note["body"], marks, ask.stem),
            )
        shown = _stored(kept, "hit")
        return Hit.model_validate(shown | {"score": score, "highlights": highlights})

    def _id(self, address: _Address) -> str:
        return str(_stored(self.searcher.doc(address), "hit")["id"])

    def _facets(self, search: ask.Search) -> dict[str, list[FacetCount]]:
        free = [facet for facet in FACET_FIELDS if facet not in search.by_facet]
        counted = self._counted(search.without(), free)
        for facet in search.by_facet:
            counted |= self._counted(search.without(facet), [facet])
        return {facet: counted[facet] for facet in FACET_FIELDS}

    def _counted(
        self, matching: tantivy.Query, facets: Sequence[str]
    ) -> dict[str, list[FacetCount]]:
        if not facets:
            return {}
        asked = {
            facet: {"terms": {"field": FACET_FIELDS[facet], "size": MAX_VALUES}} for facet in facets
        }
        answer = self.searcher.aggregate(matching, asked)
        return {
            facet: counts((b["key"], b["doc_count"]) for b in answer[facet]["buckets"])
            for facet in facets
        }


async def _in_thread(work: Callable[..., ResultT], *args: Any, **options: Any) -> ResultT:
    """Run it beside the event loop; a panic of tantivy becomes an ordinary error."""

    def guarded() -> ResultT:
        with panics_as_errors():
            return work(*args, **options)

    return await asyncio.to_thread(guarded)


def _total(result: Any) -> int:
    """How many documents matched: an attribute that tantivy's type stubs leave out."""
    return int(result.count)


def _numbers(searcher: tantivy.Searcher, field: str, addresses: Sequence[_Address]) -> list[int]:
    """The values of an integer field that each of these documents has."""
    values = searcher.fast_field_values(field, list(addresses))
    return [int(value) for value in values if value is not None]


def _stored(kept: tantivy.Document, field: str) -> Any:
    return json.loads(bytes(kept[field][0]))


def _addresses(hits: Iterable[tuple[Any, _Address]]) -> list[_Address]:
    return [address for _, address in hits]
