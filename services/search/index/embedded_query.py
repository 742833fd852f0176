"""A search as tantivy queries: the reader's rights, the filters, the words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tantivy import FieldType, Occur
from tantivy import Query as Tantivy

from schemas.marks import audience_of
from schemas.query import Query, Reader
from schemas.vocabulary import FRENCH as LANGUAGE
from services.search.data import boost
from services.search.document import DAY_US, OTHER_FIELDS, WHOLE, midnight_us
from services.search.index.analysis import FRENCH, OTHER, Chain, forms, words
from services.search.index.embedded_schema import schema, stemming
from services.search.index.facets import FACET_FIELDS, chosen, excluded
from services.search.index.highlight import Marker, Pattern, Stem
from services.search.index.wanted import Wanted
from services.search.words import Term, Words

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


def build(query: Query, asked: Wanted, *, relaxed: bool) -> Search:
    """The parts of this query. Each answer goes through `rights` here, and nowhere else."""
    base = [*rights(query.reader), *_filters(query)]
    if asked.anything:
        base.append(_words(asked, relaxed))
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


def beyond(field: str, value: int, *, up: bool) -> Tantivy:
    """Documents whose number (of several, the lowest) is lower than this one; with `up`, higher."""
    return _not(_at_most(field, value)) if up else _at_most(field, value, included=False)


def equal_to(field: str, value: int) -> Tantivy:
    """Documents whose number (of several, the lowest) is exactly this one."""
    return every([_is(field, value), _not(_at_most(field, value, included=False))])


def _at_most(field: str, value: int, *, included: bool = True) -> Tantivy:
    return _silent(
        Tantivy.range_query(
            schema(), field, FieldType.Integer, upper_bound=value, include_upper=included
        )
    )


def _not(query: Tantivy) -> Tantivy:
    return _silent(
        Tantivy.boolean_query([(Occur.Must, Tantivy.all_query()), (Occur.MustNot, query)])
    )


def one_of_ids(note_ids: Iterable[str]) -> Tantivy:
    """The whole documents of these notes, tombstones included."""
    these = Tantivy.boolean_query([(Occur.Should, _is("id", note_id)) for note_id in note_ids])
    return every([these, _is("view", WHOLE)])


def notes_in_force() -> Tantivy:
    """The whole documents of the notes that were not withdrawn."""
    return every([in_force(), _is("view", WHOLE)])


def marker(asked: Wanted, *, french: bool) -> Marker | None:
    """What marks hits in French, or in others: the stems of every term that may be there."""
    tongue, matched = (_FRENCH, asked.french) if french else (_OTHER, asked.other)
    found = list(dict.fromkeys(filter(None, (tongue.stems(term) for term in matched.wanted))))
    return Marker(found, tongue.stem, tongue.chain) if found else None


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


@dataclass(frozen=True, slots=True)
class _Tongue:
    """How words are looked for in notes of one kind of language: its fields with their weights."""

    chain: Chain
    stem: Stem
    fields: Mapping[str, float]
    exact: Mapping[str, float]

    def stems(self, term: Term) -> Pattern:
        """The stems of a term's words in a row, those that say nothing left out."""
        found = [
            (place, self.stem(word.folded))
            for place, word in enumerate(words(term.text, chain=self.chain))
            if word.folded not in self.chain.stop_words
        ]
        return tuple((place - found[0][0], stemmed) for place, stemmed in found)


_FRENCH = _Tongue(
    chain=FRENCH,
    stem=stem,
    fields={field: boost(field) for field in OTHER_FIELDS},
    exact={f"{field}_exact": boost(field) * boost("exact") for field in OTHER_FIELDS},
)
_OTHER = _Tongue(
    chain=OTHER,
    stem=str,
    # The form found is always the one typed.
    fields={other: boost(field) * (1 + boost("exact")) for field, other in OTHER_FIELDS.items()},
    exact={},
)


def _words(asked: Wanted, relaxed: bool) -> Tantivy:
    """Each note is asked in its own language, so that an exclusion holds for it too."""
    french = _is("language", LANGUAGE)
    return _either(
        [
            Tantivy.boolean_query(
                [(Occur.Must, french), (Occur.Must, _matching(_FRENCH, asked.french, relaxed))]
            ),
            Tantivy.boolean_query(
                [(Occur.MustNot, french), (Occur.Must, _matching(_OTHER, asked.other, relaxed))]
            ),
        ]
    )


def _matching(tongue: _Tongue, matched: Words, relaxed: bool) -> Tantivy:
    clauses = [_either([_term(tongue, term) for term in clause]) for clause in matched.all_of]
    if relaxed and clauses:
        clauses = [_either(clauses)]
    parts = [(Occur.Must, clause) for clause in clauses or [Tantivy.all_query()]]
    parts += [(Occur.MustNot, _term(tongue, term)) for term in matched.none_of]
    if tongue.exact:
        parts += [(Occur.Should, _exact(tongue, term)) for term in matched.wanted]
    return Tantivy.boolean_query(parts)


def _term(tongue: _Tongue, term: Term) -> Tantivy:
    """A word or phrase in any field, by its stems; in the reference by its parts as they are."""
    stems = tongue.stems(term)
    ways = [_boosted(_in_a_row(field, stems), weight) for field, weight in tongue.fields.items()]
    parts = tuple(enumerate(word.folded for word in words(term.text)))
    if parts:
        ways.append(_boosted(_in_a_row("reference", parts), boost("reference")))
    return _best(ways)


def _exact(tongue: _Tongue, term: Term) -> Tantivy:
    parts = tuple(enumerate(forms(term.text)[0].split()))
    return _best(
        [_boosted(_in_a_row(field, parts), weight) for field, weight in tongue.exact.items()]
    )


def _in_a_row(field: str, parts: Pattern) -> Tantivy:
    if len(parts) == 1:
        return Tantivy.term_query(schema(), field, parts[0][1], index_option="position")
    return Tantivy.phrase_query(schema(), field, list(parts))


def _boosted(query: Tantivy, weight: float) -> Tantivy:
    return Tantivy.boost_query(query, weight)


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
        yield _not(_any_of(field, values))
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
