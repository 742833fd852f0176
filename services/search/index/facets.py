"""Which field each facet counts, and how counts are ordered: the same for both engines."""

from collections.abc import Iterable, Sequence

from schemas.answers import FacetCount
from schemas.query import Query

FACET_FIELDS = {
    "theme": "themes",
    "subtheme": "subthemes",
    "country": "countries_about",
    "post": "post",
    "genre": "genre",
    "language": "language",
    "year": "year",
}
MAX_VALUES = 400
"""Values of one facet: more than there are countries, posts or years, so that counts are exact."""


def chosen(query: Query) -> dict[str, Sequence[str | int]]:
    """The values that the query asks of each facet's field; only the facets that filter."""
    values: dict[str, Sequence[str | int]] = {
        "theme": query.theme,
        "subtheme": query.subtheme,
        "country": query.country,
        "post": query.post,
        "genre": [genre.value for genre in query.genre],
        "language": query.language,
        "year": query.year,
    }
    return {facet: wanted for facet, wanted in values.items() if wanted}


def excluded(query: Query) -> dict[str, Sequence[str]]:
    """The values that must be absent, by field."""
    values: dict[str, Sequence[str]] = {
        "themes": query.theme_not,
        "subthemes": query.subtheme_not,
        "countries_about": query.country_not,
        "post": query.post_not,
        "genre": [genre.value for genre in query.genre_not],
        "language": query.language_not,
    }
    return {field: unwanted for field, unwanted in values.items() if unwanted}


def counts(buckets: Iterable[tuple[str | int | float, int]]) -> list[FacetCount]:
    """Counts, most frequent first, then by value; a year is a whole number."""
    found = [
        FacetCount(value=value if isinstance(value, str) else str(int(value)), count=count)
        for value, count in buckets
    ]
    return sorted(found, key=lambda facet: (-facet.count, facet.value))
