"""A search as tantivy queries: the reader's rights, the filters, the words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tantivy import FieldType, Occur
from tantivy import Query as Tantivy

from schemas.marks import audience_of
from schemas.query import Query, Reader
from services.search.data import boost
from services.search.document import DAY_US, WHOLE, midnight_us
from services.search.index.analysis import STOP_WORDS, forms, words
from services.search.index.embedded_schema import schema, stemming
from services.search.index.facets import FACET_FIELDS, chosen, excluded
from services.search.index.highlight import Pattern
from services.search.words import Term, Words

_WORDS_FIELDS = ("subject", "body")
_STEMS_KEPT = 200_000
"""Distinct words whose stems are remembered, as in analysis.py."""


@dataclass(frozen=True, slots=True)
class Search:
    """One query in parts: what every answer obeys, and what each facet adds."""

    base: Sequence[Tantivy]
    by_facet: dict[str, Tantivy]

    def without(self, facet: str | None = None) -> Tantivy:
        """All filters, or all but one facet's own."""
        return every(
            [*self.base, *(query for name, query in self.by_facet.items() if name != facet)]
        )


def build(query: Query, matched: Words, *, relaxed: bool) -> Search:
    """The parts of this query. Each answer goes through `rights` here, and nowhere else."""
    base = [*rights(query.reader), *_filters(query)]
    if matched.all_of or matched.none_of:
        base.append(_words(matched, relaxed))
    return Search(
        base,
        {facet: _any_of(FACET_FIELDS[facet], values) for facet, values in chosen(query).items()},
    )


def rights(reader: Reader) -> list[Tantivy]:
    """What this reader may see at all: of each note one document at most, by its audience."""
    return [in_force(), _is("audiences", str(audience_of(reader)))]


def in_force() -> Tantivy:
    """Notes that were not withdrawn."""
    return _is("withdrawn", False)


def every(parts: Sequence[Tantivy]) -> Tantivy:
    """All of these; with none, every document."""
    return Tantivy.boolean_query([(Occur.Must, part) for part in parts or [Tantivy.all_query()]])


def at_most(field: str, value: int, *, included: bool) -> Tantivy:
    """Documents whose whole number is lower than this one, or equal."""
    return _silent(
        Tantivy.range_query(
            schema(), field, FieldType.Integer, upper_bound=value, include_upper=included
        )
    )


def equal_to(field: str, value: int) -> Tantivy:
    """Documents with exactly this whole number."""
    return _is(field, value)


def one_of_ids(note_ids: Iterable[str]) -> Tantivy:
    """The whole documents of these notes, tombstones included."""
    these = Tantivy.boolean_query([(Occur.Should, _is("id", note_id)) for note_id in note_ids])
    return every([these, _is("view", WHOLE)])


def notes_in_force() -> Tantivy:
    """The whole documents of the notes that were not withdrawn."""
    return every([in_force(), _is("view", WHOLE)])


def patterns(matched: Words) -> list[Pattern]:
    """What is to be marked in hits: the stems of every term that may be there."""
    return list(dict.fromkeys(filter(None, (_stems(term) for term in matched.wanted))))


class _Stems(dict[str, str]):
    def __missing__(self, folded: str) -> str:
        if len(self) >= _STEMS_KEPT:
            self.clear()
        stems = _analyzer().analyze(folded)
        found = self[folded] = stems[0] if stems else ""
        return found


_stems_seen = _Stems()
stem = _stems_seen.__getitem__
"""The stem of a folded word; empty for a stop word."""


@cache
def _analyzer() -> Any:
    return stemming()


def _words(matched: Words, relaxed: bool) -> Tantivy:
    clauses = [_either([_term(term) for term in clause]) for clause in matched.all_of]
    if relaxed:
        clauses = [_either(clauses)]
    parts = [(Occur.Must, clause) for clause in clauses or [Tantivy.all_query()]]
    parts += [(Occur.MustNot, _term(term)) for term in matched.none_of]
    parts += [(Occur.Should, _exact(term)) for term in matched.wanted]
    return Tantivy.boolean_query(parts)


def _term(term: Term) -> Tantivy:
    """A word or phrase in any field, by its stems; in the reference by its parts as they are."""
    stems = _stems(term)
    ways = [_boosted(_in_a_row(field, stems), field) for field in _WORDS_FIELDS]
    parts = tuple(enumerate(word.folded for word in words(term.text)))
    return _best([*ways, _boosted(_in_a_row("reference", parts), "reference")])


def _exact(term: Term) -> Tantivy:
    parts = tuple(enumerate(forms(term.text)[0].split()))
    ways = [
        Tantivy.boost_query(_in_a_row(f"{field}_exact", parts), boost(field) * boost("exact"))
        for field in _WORDS_FIELDS
    ]
    return _best(ways)


def _stems(term: Term) -> Pattern:
    found = [
        (place, stem(word.folded))
        for place, word in enumerate(words(term.text))
        if word.folded not in STOP_WORDS
    ]
    return tuple((place - found[0][0], stemmed) for place, stemmed in found)


def _in_a_row(field: str, parts: Pattern) -> Tantivy:
    if len(parts) == 1:
        return Tantivy.term_query(schema(), field, parts[0][1], index_option="position")
    return Tantivy.phrase_query(schema(), field, list(parts))


def _boosted(query: Tantivy, name: str) -> Tantivy:
    return Tantivy.boost_query(query, boost(name))


def _best(ways: Sequence[Tantivy]) -> Tantivy:
    return Tantivy.disjunction_max_query(ways, tie_breaker=boost("others"))


def _either(ways: Sequence[Tantivy]) -> Tantivy:
    if len(ways) == 1:
        return ways[0]
    return Tantivy.boolean_query([(Occur.Should, way) for way in ways])


def _filters(query: Query) -> Iterable[Tantivy]:
    if query.country_any:
        yield _any_of("countries_any", query.country_any)
    for field, values in excluded(query).items():
        yield _silent(
            Tantivy.boolean_query(
                [(Occur.Must, Tantivy.all_query()), (Occur.MustNot, _any_of(field, values))]
            )
        )
    first, last = query.date_from, query.date_to
    if first or last:
        yield _between(
            "date", first.toordinal() if first else None, last.toordinal() + 1 if last else None
        )
    first, last = query.received_from, query.received_to
    if first or last:
        yield _between(
            "received_us",
            midnight_us(first) if first else None,
            midnight_us(last) + DAY_US if last else None,
        )


def _between(field: str, first: int | None, behind_last: int | None) -> Tantivy:
    return _silent(
        Tantivy.range_query(
            schema(),
            field,
            FieldType.Integer,
            lower_bound=first,
            upper_bound=behind_last,
            include_upper=behind_last is None,
        )
    )


def _any_of(field: str, values: Sequence[str | int]) -> Tantivy:
    if not values:
        return Tantivy.empty_query()
    return _silent(Tantivy.term_set_query(schema(), field, list(values)))


def _is(field: str, value: str | int | bool) -> Tantivy:
    return _silent(Tantivy.term_query(schema(), field, value, index_option="basic"))


def _silent(query: Tantivy) -> Tantivy:
    """A filter: it selects, and adds nothing to the score."""
    return Tantivy.const_score_query(query, 0.0)
