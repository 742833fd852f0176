"""The theme lexicon: which terms speak for which sub-theme, how strongly, and what hides them."""

from dataclasses import dataclass
from functools import cache

from schemas.vocabulary import subthemes
from services.classify.institutions import institutions
from services.classify.matching import Matcher, Term, terms
from services.classify.tables import items, rows
from services.classify.text import fold_term

POINTS = {"strong": 3.0, "plain": 1.0, "weak": 0.25}
"""What a term adds: three plain terms weigh as much as one that decides alone, weak ones only tip
a balance (twelve of them make one strong term)."""


@dataclass(frozen=True, slots=True)
class Sense:
    """What a term means: a sub-theme and points; or nothing, where `subtheme` is empty.

    `needs` and `unless` are folded expressions, one (or none) of which must stand near the term.
    """

    subtheme: str
    points: float
    needs: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()

    @property
    def theme(self) -> str:
        """The theme's code."""
        return self.subtheme.partition(".")[0]


NOTHING = Sense(subtheme="", points=0.0)


@cache
def lexicon() -> Matcher[Sense]:
    """The matcher of all theme terms, those of institutions among them.

    Raises ValueError on an unknown sub-theme or strength.
    """
    wanted: list[Term[Sense]] = []
    for row in rows("themes.txt"):
        if row["subtheme"] not in subthemes():
            raise ValueError(f"themes.txt: unknown sub-theme {row['subtheme']!r}")
        if row["strength"] not in POINTS:
            raise ValueError(f"themes.txt: unknown strength {row['strength']!r}")
        sense = _sense(row["subtheme"], row["strength"], items(row["with"]), items(row["unless"]))
        for written in items(row["terms"]):
            wanted.extend(terms(written, sense))
    for names in institutions():
        if names.subtheme is not None:
            sense = _sense(names.subtheme, names.strength, names.needs, names.unless)
            for written in names.terms:
                wanted.extend(terms(written, sense))
    for row in rows("neutral.txt"):
        for written in items(row["expressions"]):
            wanted.extend(terms(written, NOTHING))
    return Matcher(
        wanted,
        conditions=lambda sense: (sense.needs, sense.unless),
        weight=lambda sense: sense.points,
    )


def _sense(subtheme: str, strength: str, needs: tuple[str, ...], unless: tuple[str, ...]) -> Sense:
    return Sense(
        subtheme=subtheme,
        points=POINTS[strength],
        needs=frozenset(fold_term(item) for item in needs),
        unless=frozenset(fold_term(item) for item in unless),
    )
