"""The pages of one search in one state of the embedded index: hits in order, facets, marks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

import tantivy
from pydantic_core import from_json

from schemas.answers import FacetCount, Highlights, Hit
from schemas.query import Query, Sort
from schemas.vocabulary import FRENCH, language_code
from services.runtime.access.rights import sees_every_mark
from services.search.index import CursorInvalid, Page
from services.search.index import embedded_query as ask
from services.search.index.cursor import Place, encode, reading_ends
from services.search.index.embedded_schema import TIE, tie_of
from services.search.index.facets import FACET_FIELDS, MAX_VALUES, counts
from services.search.index.highlight import Marker
from services.search.index.wanted import Wanted

DEEPEST = 1_000_000
"""Hits by relevance that can be paged through: tantivy keeps a page's predecessors in memory."""

_UNMARKED = b'{"score":null,"highlights":{},'
"""How a stored hit begins once it has what only a search gives."""

_SORT_FIELDS = {Sort.DATE: "date", Sort.RECEIVED: "received_us"}
Address = Any
Listed = tuple[int, list[tuple[Address, float | None]], Place | None, Place | None]
"""How many there are, the hits of a page with their scores, where the page before it ends and where
the next one begins."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one query in one state of the index."""

    searcher: tantivy.Searcher
    view: str
    query: Query
    asked: Wanted
    order: Sort

    def page(self, place: Place | None) -> Page:
        """The page after that place; on a first page some of the words may stand for all."""
        if place is not None:
            return self._made(place, relaxed=place.relaxed)
        first = self._made(None, relaxed=False)
        if first.total or not self.asked.relaxable:
            return first
        relaxed = self._made(None, relaxed=True)
        return relaxed if relaxed.total else first

    def stamp(self) -> str:
        """A text that becomes another when the ids or versions of the first page do."""
        everything = ask.build(self.query, self.asked, relaxed=False).without()
        field = _SORT_FIELDS.get(self.order, _SORT_FIELDS[Sort.RECEIVED])
        there = self._sorted(everything, field, self.query.size)
        states = zip(
            numbers(self.searcher, TIE, there),
            numbers(self.searcher, "version", there),
            strict=True,
        )
        return sha256(repr(list(states)).encode()).hexdigest()

    def _made(self, place: Place | None, *, relaxed: bool) -> Page:
        search = ask.build(self.query, self.asked, relaxed=relaxed)
        everything = search.without()
        by_order = self._by_relevance if self.order is Sort.RELEVANCE else self._by_number
        total, found, before, following = by_order(everything, place, relaxed)
        markers = {french: ask.marker(self.asked, french=french) for french in (True, False)}
        return Page(
            total=total,
            total_is_exact=True,
            relaxed=relaxed,
            hits=[self._hit(address, score, markers) for address, score in found],
            facets=self._facets(search),
            next=encode(self.query, following) if following else None,
            previous=encode(self.query, before) if before else None,
        )

    def _by_relevance(
        self, everything: tantivy.Query, place: Place | None, relaxed: bool
    ) -> Listed:
        passed = int(place.value) if place else 0
        if not 0 <= passed <= DEEPEST:
            raise CursorInvalid("the cursor points nowhere")
        size = self.query.size
        result = self.searcher.search(everything, limit=size, offset=passed)
        total = total_of(result)
        more = passed + size < total
        until = place.until if place else reading_ends()
        there = Place(value=passed, snapshot=self.view, until=until, relaxed=relaxed)
        following = there.model_copy(update={"value": passed + size})
        before = there.model_copy(update={"value": max(0, passed - size)})
        scored = sees_every_mark(self.query.reader)
        found = [(address, score if scored else None) for score, address in result.hits]
        return total, found, before if passed else None, following if more else None

    def _by_number(self, everything: tantivy.Query, place: Place | None, relaxed: bool) -> Listed:
        """Newest first, then by id: tantivy sorts by one number, so ties are asked for apart."""
        field = _SORT_FIELDS[self.order]
        size = self.query.size
        total = total_of(self.searcher.search(everything, limit=1))
        back = place is not None and place.back
        if place is None:
            found = self._sorted(everything, field, size + 1)
        else:
            found = self._beyond(everything, field, place, size + 1)
        if back and len(found) < size:
            return self._by_number(everything, None, relaxed)
        more, page = len(found) > size, found[:size]
        if back:
            page.reverse()
        before = self._place(field, page[0], relaxed, back=True) if page else None
        following = self._place(field, page[-1], relaxed) if page else None
        return (
            total,
            [(address, None) for address in page],
            before if (more if back else place is not None) else None,
            following if more or back else None,
        )

    def _place(self, field: str, at: Address, relaxed: bool, *, back: bool = False) -> Place:
        value = numbers(self.searcher, field, [at])[0]
        return Place(value=value, id=self._id(at), relaxed=relaxed, back=back)

    def _beyond(
        self, everything: tantivy.Query, field: str, place: Place, wanted: int
    ) -> list[Address]:
        """The first hits after that place, or those before it, from there on."""
        if place.id is None:
            raise CursorInvalid("the cursor points nowhere")
        value, up = int(place.value), place.back
        behind = ask.beyond(TIE, tie_of(UUID(place.id)), up=up)
        found = self._tied(everything, field, value, wanted, behind, up=up)
        if len(found) < wanted:
            rest = ask.every([everything, ask.beyond(field, value, up=up)])
            found += self._sorted(rest, field, wanted - len(found), up=up)
        return found

    def _sorted(
        self, matching: tantivy.Query, field: str, wanted: int, *, up: bool = False
    ) -> list[Address]:
        """The first hits by (field, id), both falling; with `up`, both rising."""
        hits = self.searcher.search(
            matching, limit=wanted, order_by_field=field, order=_order(up)
        ).hits
        if not hits:
            return []
        last = hits[-1][0]
        above = addresses_of(hit for hit in hits if hit[0] != last)
        keys = zip(
            numbers(self.searcher, field, above),
            numbers(self.searcher, TIE, above),
            strict=True,
        )
        ranked = sorted(zip(keys, range(len(above)), strict=True), reverse=not up)
        return [above[at] for _, at in ranked] + self._tied(
            matching, field, last, len(hits) - len(above), up=up
        )

    def _tied(
        self,
        matching: tantivy.Query,
        field: str,
        value: int,
        wanted: int,
        *more: tantivy.Query,
        up: bool = False,
    ) -> list[Address]:
        """The first hits with this very value, by id."""
        same = ask.every([matching, ask.equal_to(field, value), *more])
        return addresses_of(
            self.searcher.search(same, limit=wanted, order_by_field=TIE, order=_order(up)).hits
        )

    def _hit(
        self, address: Address, score: float | None, markers: Mapping[bool, Marker | None]
    ) -> Hit:
        kept = self.searcher.doc(address)
        hit = Hit.model_validate_json(_UNMARKED + stored(kept, "hit")[1:])
        highlights = hit.highlights
        if self.asked.french.all_of:
            note = from_json(stored(kept, "event"))["note"]
            marker = markers[language_code(note["language"]) == FRENCH]
            if marker is not None:
                highlights = Highlights(
                    subject=marker.whole(hit.subject), body=marker.fragments(note["body"])
                )
        return hit.model_copy(update={"score": score, "highlights": highlights})

    def _id(self, address: Address) -> str:
        return str(from_json(stored(self.searcher.doc(address), "hit"))["id"])

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


def _order(up: bool) -> tantivy.Order:
    return tantivy.Order.Asc if up else tantivy.Order.Desc


def total_of(result: Any) -> int:
    """How many documents matched: an attribute that tantivy's type stubs leave out."""
    return int(result.count)


def numbers(searcher: tantivy.Searcher, field: str, addresses: Sequence[Address]) -> list[int]:
    """The values of an integer field that each of these documents has."""
    values = searcher.fast_field_values(field, list(addresses))
    return [int(value) for value in values if value is not None]


def stored(kept: tantivy.Document, field: str) -> bytes:
    """The JSON that is kept of a document under this name."""
    return bytes(kept[field][0])


def addresses_of(hits: Iterable[tuple[Any, Address]]) -> list[Address]:
    return [address for _, address in hits]
