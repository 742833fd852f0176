"""The note index of the embedded deployment: tantivy in a folder, one process.

Every `apply` is one commit, so that what it took is on the disk when it returns. After a crash the
folder holds the last commit, and the log delivers the rest again.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import tantivy
from pydantic_core import from_json

from schemas.events import ClassifiedNote, version
from schemas.query import Query, Sort
from services.runtime.errors import Unavailable
from services.search.document import documents
from services.search.index import (
    CURSOR_MINUTES,
    Applied,
    CursorExpired,
    Page,
    Rejected,
)
from services.search.index import embedded_purge as purging
from services.search.index import embedded_query as ask
from services.search.index.cursor import decode, order_of
from services.search.index.embedded_folder import (
    exchange,
    filling,
    open_index,
    open_writer,
    panics_as_errors,
    settle,
)
from services.search.index.embedded_pages import Pages, addresses_of, numbers, total_of
from services.search.index.embedded_schema import TIE, tantivy_document, tie_of
from services.search.index.wanted import wanted

VIEW_SECONDS = 0.5
"""How old the state that searches see may get: half of the second that the port allows. It also
bounds the snapshots that cursors can hold: two a second for ten minutes."""

PURGE_PIECE = 200
"""Documents written anew in one commit: a quarter of a second for which others' writes wait."""
PURGE_TRIES = 100
PURGE_PAUSE_SECONDS = 0.1
"""How often, and how soon again, files are removed that a search under way still has open."""

ResultT = TypeVar("ResultT")


@dataclass(slots=True)
class _View:
    """A state of the index that searches see, under the name by which cursors come back to it."""

    name: str
    searcher: tantivy.Searcher
    taken: float
    ends: float = 0.0
    """When the last reading that was begun in it ends."""


class TantivyIndex:
    """The index port on tantivy. One writer and any number of searches, in worker threads."""

    def __init__(self, path: Path) -> None:
        """`path` is a folder of its own; nothing is opened before `start`."""
        self.path = path
        self._index: tantivy.Index | None = None
        self._writer: tantivy.IndexWriter | None = None
        self._writing = threading.Lock()
        self._open_to_writes = asyncio.Lock()
        """Held while a rebuild puts its index in this one's place: writes wait for the new one."""
        self._viewing = threading.Lock()
        self._current: _View | None = None
        self._newer_there = False
        self._lent: dict[str, _View] = {}
        self._generation = ""

    @property
    def generation(self) -> str:
        """The name of this very index: a folder that was begun again has another one."""
        return self._generation

    async def start(self) -> None:
        """Open the folder. Raises Misconfigured where another process has it."""
        await _in_thread(self._start)

    async def stop(self) -> None:
        """Close the folder; everything applied is already on the disk."""
        await _in_thread(self._stop)

    async def apply(self, notes: Sequence[ClassifiedNote]) -> list[Applied | Rejected]:
        """Take these states in one commit; one outcome each, in order."""
        async with self._open_to_writes:
            return await _in_thread(self._apply, notes)

    async def forget(self, note_ids: Sequence[UUID]) -> None:
        """Remove these notes, tombstones included."""
        async with self._open_to_writes:
            await _in_thread(self._forget, note_ids)

    async def forget_before(self, revisions: Mapping[UUID, int]) -> None:
        """Remove those of these notes that stand in a revision before the one given."""
        async with self._open_to_writes:
            await _in_thread(self._forget_before, revisions)

    async def purge(self) -> None:
        """Write anew what shares a segment with removed documents, so that their words go.

        In pieces, between which others write. Cursors of searches by relevance expire.
        """
        async with self._open_to_writes:
            segments = await _in_thread(self._segments_to_purge)
            index = self._open_index()
            searcher, there = await _in_thread(purging.living, self.path, index, segments)
        for at in range(0, len(there), PURGE_PIECE):
            async with self._open_to_writes:
                if self._index is not index:
                    return  # a rebuild has put a new index in its place
                await _in_thread(self._write_anew, searcher, there[at : at + PURGE_PIECE])
        del searcher
        for _ in range(PURGE_TRIES):
            async with self._open_to_writes:
                if await _in_thread(self._purged, segments):
                    return
            await asyncio.sleep(PURGE_PAUSE_SECONDS)
        raise Unavailable("searches hold on to the files of removed documents")

    async def refresh(self) -> None:
        """Let searches see everything applied so far."""
        await _in_thread(self._view, fresh=True)

    async def search(self, query: Query) -> Page:
        """The page that the query asks for. Raises CursorExpired, CursorInvalid."""
        return await _in_thread(self._search, query)

    async def stamp(self, query: Query) -> str:
        """A short text that becomes another when the hits of the query's first page do."""
        return await _in_thread(self._stamp, query)

    async def get(self, note_id: UUID) -> ClassifiedNote | None:
        """The latest state of a note, tombstones included."""
        return await _in_thread(self._get, note_id)

    async def count(self) -> int:
        """How many notes are held, tombstones not counted."""
        return await _in_thread(self._count)

    async def ready(self) -> bool:
        """Whether the folder is open."""
        return self._index is not None

    async def begin_rebuild(self) -> "TantivyRebuilding":
        """A new index in a folder beside this one."""
        self._open_index()
        await _in_thread(settle, self.path)
        beside = TantivyIndex(filling(self.path))
        await beside.start()
        return TantivyRebuilding(self, beside)

    @asynccontextmanager
    async def replaced_by(self, beside: "TantivyIndex") -> AsyncIterator[None]:
        """Writes wait during the block; after it this index is what `beside` was.

        Where the block raises, this index stays as it was.
        """
        async with self._open_to_writes:
            yield
            await _in_thread(self._take_over, beside)

    def _take_over(self, beside: "TantivyIndex") -> None:
        # tantivy writes by the folder's name, merges in the background included: all writing must
        # have ended before a folder gets another name. Searches have their files open.
        beside.close_for_good()
        with self._writing:
            self._release_writer()
            try:
                exchange(self.path, self._generation)
            except OSError as error:
                raise Unavailable(f"the new index cannot be put in place: {error}") from error
            finally:
                index, self._generation = open_index(self.path)
                self._writer = open_writer(index, self.path)
                with self._viewing:
                    self._index, self._current = index, None

    def close_for_good(self) -> None:
        """Close it once all writing has ended, merges in the background included. Blocks."""
        with self._writing:
            self._release_writer()
        self._stop()

    def _start(self) -> None:
        with self._writing:
            index, self._generation = open_index(self.path)
            self._writer = open_writer(index, self.path)
            self._index = index

    def _stop(self) -> None:
        with self._writing, self._viewing:
            self._lent.clear()
            self._current = None
            self._writer = None
            self._index = None

    def _apply(self, notes: Sequence[ClassifiedNote]) -> list[Applied | Rejected]:
        with self._writing:
            versions = self._versions({note.note_id for note in notes})
            outcomes: list[Applied | Rejected] = []
            winners: dict[UUID, list[tantivy.Document]] = {}
            for note in notes:
                known = versions.get(note.note_id, 0)
                if note.version <= known:
                    same = note.version == known
                    outcomes.append(Applied.DUPLICATE if same else Applied.STALE)
                    continue
                try:
                    winners[note.note_id] = list(map(tantivy_document, documents(note)))
                except (ValueError, TypeError, OverflowError) as error:
                    outcomes.append(Rejected(f"tantivy cannot take it: {error}"))
                    continue
                versions[note.note_id] = note.version
                outcomes.append(Applied.WITHDRAWN if note.withdrawn else Applied.INDEXED)
            if winners:
                with self._commit() as writer:
                    for note_id, made in winners.items():
                        _replace(writer, note_id, made)
            return outcomes

    def _forget(self, note_ids: Sequence[UUID]) -> None:
        with self._writing:
            self._delete(note_ids)

    def _forget_before(self, revisions: Mapping[UUID, int]) -> None:
        with self._writing:
            there = self._versions(revisions)
            earlier = [
                note_id
                for note_id, number in revisions.items()
                if there.get(note_id, version(number, 0, 0)) < version(number, 0, 0)
            ]
            if earlier:
                self._delete(earlier)

    def _delete(self, note_ids: Sequence[UUID]) -> None:
        with self._commit() as writer:
            for note_id in note_ids:
                writer.delete_documents_by_term("id", str(note_id))

    def _segments_to_purge(self) -> set[str]:
        try:
            purging.remove_aside(self.path)
        except OSError as error:
            raise Unavailable(f"an index set aside cannot be removed: {error}") from error
        with self._writing:
            # Merges under way end with it: one that began before a document was removed would
            # carry its words into a segment that is not among these.
            self._release_writer()
            return purging.with_deletions(self.path)

    def _write_anew(self, searcher: tantivy.Searcher, there: Sequence[tantivy.DocAddress]) -> None:
        """Replace these documents by themselves, where nothing newer has replaced them since."""
        kept = (from_json(bytes(searcher.doc(each)["event"][0])) for each in there)
        ids = {UUID(event["note_id"]) for event in kept}
        notes = list(filter(None, map(self._get, ids)))
        with self._writing:
            versions = self._versions({note.note_id for note in notes})
            same = [note for note in notes if versions.get(note.note_id) == note.version]
            if same:
                with self._commit() as writer:
                    for note in same:
                        made = map(tantivy_document, documents(note))
                        _replace(writer, note.note_id, made)

    def _purged(self, segments: set[str]) -> bool:
        """Whether the files of these segments are gone, once nothing of ours has them open."""
        with self._writing, self._viewing:
            self._current = None
            self._lent.clear()
            index = self._open_index()
            if self._writer is None:
                self._writer = open_writer(index, self.path)
            index.reload()
            self._writer.garbage_collect_files()
            return not purging.left(self.path, segments)

    @contextmanager
    def _commit(self) -> Iterator[tantivy.IndexWriter]:
        """The writer, and a commit after the block; all of it or nothing."""
        index = self._open_index()
        try:
            if self._writer is None:
                self._writer = open_writer(index, self.path)
            yield self._writer
            self._writer.commit()
            index.reload()
        except Exception as error:
            self._release_writer()
            raise Unavailable(f"the index could not be written: {error}") from error
        with self._viewing:
            self._newer_there = True

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
        there = addresses_of(
            searcher.search(ask.one_of_ids(map(str, by_tie.values())), limit=len(by_tie)).hits
        )
        return {
            by_tie[tie]: version
            for tie, version in zip(
                numbers(searcher, TIE, there),
                numbers(searcher, "version", there),
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
        return total_of(searcher.search(ask.notes_in_force(), limit=1))

    def _search(self, query: Query) -> Page:
        asked = wanted(query.words)
        order = order_of(query, asked.french)
        place = decode(query, order)
        view = self._view(place.snapshot) if place and place.snapshot else self._view()
        page = Pages(view.searcher, view.name, query, asked, order).page(place)
        if place is None and page.next is not None and order is Sort.RELEVANCE:
            self._lend(view)
        return page

    def _stamp(self, query: Query) -> str:
        asked = wanted(query.words)
        view = self._view()
        order = order_of(query, asked.french)
        return Pages(view.searcher, view.name, query, asked, order).stamp()

    def _view(self, name: str | None = None, *, fresh: bool = False) -> _View:
        """A state to search in: the one that a cursor names, else the current one."""
        now = time.monotonic()
        with self._viewing:
            # In here: an index that a rebuild has just replaced must give no view any more.
            index = self._open_index()
            self._forget_views(now)
            if name is not None:
                if name not in self._lent:
                    raise CursorExpired(name)
                return self._lent[name]
            view = self._current
            if view is not None and not self._newer_there:
                return view
            if view is None or fresh or now - view.taken >= VIEW_SECONDS:
                self._newer_there = False
                view = self._current = _View(uuid4().hex, index.searcher(), now)
            return view

    def _lend(self, view: _View) -> None:
        """Keep a state for the reading that has begun in it, until that ends: a page read later
        does not prolong it."""
        with self._viewing:
            view.ends = time.monotonic() + CURSOR_MINUTES * 60
            self._lent[view.name] = view

    def _forget_views(self, now: float) -> None:
        for name in [name for name, view in self._lent.items() if view.ends < now]:
            del self._lent[name]

    def _open_index(self) -> tantivy.Index:
        if self._index is None:
            raise Unavailable("the index is not open")
        return self._index


def _replace(writer: tantivy.IndexWriter, note_id: UUID, made: Iterable[tantivy.Document]) -> None:
    """Put these documents in the place of all that the note has."""
    writer.delete_documents_by_term("id", str(note_id))
    for document in made:
        writer.add_document(document)


class TantivyRebuilding:
    """A new index beside the one in use (services.search.index.Rebuilding)."""

    def __init__(self, index: TantivyIndex, beside: TantivyIndex) -> None:
        self._index = index
        self._beside = beside

    async def apply(self, notes: Sequence[ClassifiedNote]) -> list[Applied | Rejected]:
        """Take these states in one commit; one outcome each, in order."""
        return await self._beside.apply(notes)

    async def forget(self, note_ids: Sequence[UUID]) -> None:
        """Remove these notes."""
        await self._beside.forget(note_ids)

    async def forget_before(self, revisions: Mapping[UUID, int]) -> None:
        """Remove those of these notes that stand in an earlier revision."""
        await self._beside.forget_before(revisions)

    async def count(self) -> int:
        """How many notes it holds, tombstones not counted."""
        return await self._beside.count()

    @asynccontextmanager
    async def exchange(self) -> AsyncIterator[None]:
        """Live writes wait during the block; at its end the folders change places."""
        async with self._index.replaced_by(self._beside):
            yield

    async def discard_old(self) -> None:
        """Remove the old folder; searches under way and cursors keep its files open."""
        await _in_thread(settle, self._index.path)

    async def abandon(self) -> None:
        """Close and remove the new folder, if it is still one."""
        await _in_thread(self._beside.close_for_good)
        await _in_thread(settle, self._index.path)


async def _in_thread(work: Callable[..., ResultT], *args: Any, **options: Any) -> ResultT:
    """Run it beside the event loop; a panic of tantivy becomes an ordinary error."""

    def guarded() -> ResultT:
        with panics_as_errors():
            return work(*args, **options)

    return await asyncio.to_thread(guarded)
