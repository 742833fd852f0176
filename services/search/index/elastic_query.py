"""A search as the body of one Elasticsearch request: rights, filters, words, facets, highlights."""

from collections.abc import Iterable, Sequence
from typing import Any

from schemas.marks import audience_of
from schemas.query import Query, Reader, Sort
from schemas.vocabulary import FRENCH
from services.search.data import boost
from services.search.document import DAY_US, OTHER_FIELDS, WHOLE, midnight_us
from services.search.index import FRAGMENTS, SNIPPET
from services.search.index.cursor import Place
from services.search.index.facets import FACET_FIELDS, MAX_VALUES, chosen, excluded
from services.search.index.highlight import CLOSE, OPEN
from services.search.index.wanted import Wanted
from services.search.words import Words

_STEMMED = [
    f"subject^{boost('subject')}",
    f"body^{boost('body')}",
    f"reference.parts^{boost('reference')}",
]
_EXACT = [f"{field}.exact^{boost(field) * boost('exact'):.3f}" for field in OTHER_FIELDS]
# The form found is always the one typed.
_OTHER = [
    *(
        f"{other}^{boost(field) * (1 + boost('exact')):.3f}"
        for field, other in OTHER_FIELDS.items()
    ),
    f"reference.parts^{boost('reference')}",
]
_SORTS = {Sort.RELEVANCE: "_score", Sort.DATE: "date", Sort.RECEIVED: "received_us"}
Clause = dict[str, Any]


def search_body(
    query: Query, asked: Wanted, order: Sort, place: Place | None, *, relaxed: bool
) -> dict[str, Any]:
    """The request for one page of hits with all facets and the exact total.

    The filters of facets select after the facets were counted (`post_filter`); every facet then
    counts under the filters of the others.
    """
    by_facet = {
        facet: _any_of(FACET_FIELDS[facet], values) for facet, values in chosen(query).items()
    }
    body: dict[str, Any] = {
        "query": {
            "bool": {
                "filter": [*rights(query.reader), *_filters(query)],
                "must": _words(asked, relaxed),
            }
        },
        "post_filter": {"bool": {"filter": list(by_facet.values())}},
        "aggs": {facet: _facet(facet, by_facet) for facet in FACET_FIELDS},
        "sort": _sorted(order, up=place is not None and place.back),
        "size": query.size + 1,
        "track_total_hits": True,
        "_source": ["hit"],
    }
    if asked.french.all_of:
        body["highlight"] = _HIGHLIGHT
    if place is not None:
        body["search_after"] = [place.value, place.id]
    return body


def _sorted(order: Sort, *, up: bool) -> list[Clause]:
    """The order of hits; with `up`, from the last one. Of two dates of a note the lower counts."""
    towards = {"order": "asc" if up else "desc"}
    first = towards | ({"mode": "min"} if order is Sort.DATE else {})
    return [{_SORTS[order]: first}, {"id": towards}]


def rights(reader: Reader) -> list[Clause]:
    """What this reader may see at all: of each note one document at most, by its audience.

    Every search goes through here, and nowhere else.
    """
    return [IN_FORCE, {"term": {"audiences": str(audience_of(reader))}}]


IN_FORCE: Clause = {"term": {"withdrawn": False}}
"""Notes that were not withdrawn."""

NOTES_IN_FORCE: Clause = {"bool": {"filter": [IN_FORCE, {"term": {"view": WHOLE}}]}}
"""Of each of these its whole document."""

_IN_FRENCH: Clause = {"term": {"language": FRENCH}}

_HIGHLIGHT: dict[str, Any] = {
    "encoder": "html",
    "pre_tags": [OPEN],
    "post_tags": [CLOSE],
    "fields": {
        field: shown
        for name, shown in (
            ("subject", {"number_of_fragments": 0}),
            (
                "body",
                {"number_of_fragments": FRAGMENTS, "fragment_size": SNIPPET, "order": "none"},
            ),
        )
        for field in (name, OTHER_FIELDS[name])
    },
}


def _words(asked: Wanted, relaxed: bool) -> list[Clause]:
    """Each note is asked in its own language, so that an exclusion holds for it too."""
    if not asked.anything:
        return []
    french = _matching(asked.french, _STEMMED, relaxed)
    french["filter"] = [_IN_FRENCH]
    french["should"] = [_in_a_row(term.text, _EXACT) for term in asked.french.wanted]
    other = _matching(asked.other, _OTHER, relaxed)
    other["must_not"].append(_IN_FRENCH)
    return [_either([{"bool": french}, {"bool": other}])]


def _matching(words: Words, fields: Sequence[str], relaxed: bool) -> dict[str, Any]:
    clauses = [
        _either([_in_a_row(term.text, fields) for term in clause]) for clause in words.all_of
    ]
    return {
        "must": [_either(clauses)] if relaxed and clauses else clauses,
        "must_not": [_in_a_row(term.text, fields) for term in words.none_of],
    }


def _in_a_row(text: str, fields: Sequence[str]) -> Clause:
    """The words of the text in their order, in one of the fields; one word is just a word."""
    return {
        "multi_match": {
            "query": text,
            "type": "phrase",
            "fields": fields,
            "tie_breaker": boost("others"),
        }
    }


def _either(ways: Sequence[Clause]) -> Clause:
    if len(ways) == 1:
        return ways[0]
    return {"bool": {"should": ways, "minimum_should_match": 1}}


def _filters(query: Query) -> Iterable[Clause]:
    if query.country_any:
        yield _any_of("countries_any", query.country_any)
    for field, values in excluded(query).items():
        yield {"bool": {"must_not": [_any_of(field, values)]}}
    first, last = query.date_from, query.date_to
    if first or last:
        yield _range("date", gte=first and first.isoformat(), lte=last and last.isoformat())
    first, last = query.received_from, query.received_to
    if first or last:
        yield _range(
            "received_us",
            gte=midnight_us(first) if first else None,
            lt=midnight_us(last) + DAY_US if last else None,
        )


def _facet(facet: str, by_facet: dict[str, Clause]) -> Clause:
    others = [clause for name, clause in by_facet.items() if name != facet]
    return {
        "filter": {"bool": {"filter": others}},
        "aggs": {"values": {"terms": {"field": FACET_FIELDS[facet], "size": MAX_VALUES}}},
    }


def _any_of(field: str, values: Sequence[str | int]) -> Clause:
    return {"terms": {field: list(values)}}


def _range(field: str, **bounds: Any) -> Clause:
    return {"range": {field: {name: bound for name, bound in bounds.items() if bound is not None}}}
