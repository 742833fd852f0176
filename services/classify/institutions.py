"""The social institutions of foreign countries: names that are a clue to a theme and a country."""

from dataclasses import dataclass
from functools import cache

from schemas.vocabulary import countries, subthemes
from services.classify.tables import items, rows

TABLE = "institutions.txt"
STRENGTHS = frozenset({"strong", "plain", "weak"})
ONLY_BESIDE = "~"


@dataclass(frozen=True, slots=True)
class Names:
    """One row: names that mean the same, as they are written in the table (marks included).

    `country`: whose they are, None where several countries use them. `beside`: they count for the
    country only where the note also names it otherwise. `subtheme`: None where they tell no theme.
    `needs` and `unless` are expressions as written, one (or none) of which must stand near.
    """

    country: str | None
    beside: bool
    subtheme: str | None
    strength: str
    terms: tuple[str, ...]
    needs: tuple[str, ...]
    unless: tuple[str, ...]


@cache
def institutions() -> tuple[Names, ...]:
    """All rows. Raises ValueError on an unknown country, sub-theme or strength."""
    return tuple(map(_names, rows(TABLE)))


def _names(row: dict[str, str]) -> Names:
    code = row["country"].removeprefix(ONLY_BESIDE)
    if code and code not in countries():
        raise ValueError(f"{TABLE}: unknown country {code!r}")
    if row["subtheme"] and row["subtheme"] not in subthemes():
        raise ValueError(f"{TABLE}: unknown sub-theme {row['subtheme']!r}")
    if row["strength"] not in STRENGTHS:
        raise ValueError(f"{TABLE}: unknown strength {row['strength']!r}")
    return Names(
        country=code or None,
        beside=row["country"].startswith(ONLY_BESIDE),
        subtheme=row["subtheme"] or None,
        strength=row["strength"],
        terms=items(row["terms"]),
        needs=items(row["with"]),
        unless=items(row["unless"]),
    )
