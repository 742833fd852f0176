"""The countries a note is about, and those it only mentions, as probabilities with evidence."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.classification import CountryTag
from schemas.vocabulary import Role, posts
from services.classify.evidence import Found, evidence
from services.classify.gazetteer import Kind
from services.classify.places import Hit, IsPlace, hits
from services.classify.text import Folded

HOME = "FR"
"""France appears in nearly every note, as the point of comparison."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The logistic mapping from salience to the probability that a note is about a country.

    Set by hand: a country with `ABOUT_SHARE` of the first one's salience stands at one half.
    Checked, not fitted, on 1,014 news dispatches with their agency's own tags (F1 of about 0.89
    for any share from 1.5 to 2.5, density 1 to 3, `PER_WORDS` 300 to 800: a flat optimum).
    """

    bias: float = 0.0
    share: float = 2.0
    title: float = 1.5
    density: float = 3.0
    covered: float = 1.0


WEIGHTS = Weights()

ABOUT_SHARE = 0.3
"""A country with less than this part of the first one's salience is only mentioned."""
PER_WORDS = 300
"""One more plain mention is asked for per this many words: a long note mentions many countries."""
HOME_FACTOR = 0.35
"""France's salience counts this much beside other countries', except as a party to an agreement."""
CERTAIN = {
    Kind.NAME: 0.97,
    Kind.PEOPLE: 0.93,
    Kind.CITY: 0.8,
    Kind.INSTITUTION: 0.75,
    Kind.PREFIX: 0.9,
}
"""The probability that a country is at least mentioned, by the best passage that names it."""


def country_tags(
    subject: Folded, body: Folded, post: str | None, is_place: IsPlace
) -> tuple[CountryTag, ...]:
    """The countries of a note, those it is about first, then the likeliest; each with evidence.

    `post` is the post that sent it: what a post covers is likelier to be what its note is about.
    """
    by_country = _grouped(hits(subject, body, is_place), _covered(post))
    scores = probabilities(by_country, len(body.words), _covered(post))
    tags = [
        CountryTag(
            country=code,
            role=Role.ABOUT if scores[code] >= 0.5 else Role.MENTIONED,
            score=round(_score(scores[code], found), 4),
            evidence=evidence([_passage(hit) for hit in found]),
        )
        for code, found in by_country.items()
    ]
    return tuple(
        sorted(tags, key=lambda tag: (tag.role is not Role.ABOUT, -tag.score, tag.country))
    )


def probabilities(
    by_country: Mapping[str, Sequence[Hit]], words: int, covered: frozenset[str]
) -> dict[str, float]:
    """Per country the probability that the note is about it."""
    salience = {code: _salience(code, found) for code, found in by_country.items()}
    top = max((value for code, value in salience.items() if code != HOME), default=0.0)
    top = max(top, salience.get(HOME, 0.0))
    asked = 1.0 + words / PER_WORDS
    scores: dict[str, float] = {}
    for code, value in salience.items():
        if not value:
            scores[code] = 0.0
            continue
        prominent = any(hit.prominent for hit in by_country[code])
        logit = (
            WEIGHTS.bias
            + WEIGHTS.share * math.log(value / (ABOUT_SHARE * top))
            + WEIGHTS.density * min(0.0, math.log(value / asked))
            + WEIGHTS.title * prominent
            + WEIGHTS.covered * (code in covered)
        )
        scores[code] = 1 / (1 + math.exp(-logit))
    return scores


def _covered(post: str | None) -> frozenset[str]:
    known = posts().get(post or "")
    return frozenset(coverage.country for coverage in known.covers) if known else frozenset()


def _grouped(found: Sequence[Hit], covered: frozenset[str]) -> dict[str, list[Hit]]:
    """Hits by country. A seat of international bodies or an acronym alone makes no country."""
    grouped: dict[str, list[Hit]] = defaultdict(list)
    for hit in found:
        grouped[hit.country].append(hit)
    return {
        code: hits_
        for code, hits_ in grouped.items()
        if code in covered or any(not (hit.seat or hit.acronym) for hit in hits_)
    }


def _salience(code: str, found: Sequence[Hit]) -> float:
    total = sum(hit.weight for hit in found if not hit.seat)
    if code == HOME and not any(hit.party for hit in found):
        return total * HOME_FACTOR
    return total


def _score(about: float, found: Sequence[Hit]) -> float:
    if about >= 0.5:
        return about
    return max(CERTAIN[hit.kind] for hit in found)


def _passage(hit: Hit) -> Found:
    return Found(
        field=hit.field,
        text=hit.text,
        first=hit.first,
        last=hit.last,
        source=f"gazetteer:{hit.kind}",
        weight=hit.weight,
        key=hit.key,
        region=hit.region,
    )
