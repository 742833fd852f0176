"""Themes and sub-themes of a note, from the terms of the lexicon, with probability and evidence."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from schemas.classification import ThemeTag
from schemas.vocabulary import themes
from services.classify.evidence import Found, evidence
from services.classify.lexicon import Sense, lexicon
from services.classify.matching import Match
from services.classify.text import Folded

WINDOW = 30
"""Words on each side in which `with` and `unless` look: about two sentences."""
LEAD = 80
"""Words of the body that tell what it is about: the first paragraph of a note."""
UNIT = 100
"""Words over which the body's points are averaged; a shorter body counts as this long."""
LENGTH_POWER = 0.75
"""How fast longer texts dilute points: between 0.5 and 1 the fit hardly changes; more than a square
root, so that passing mentions in a report of eighty pages make no theme."""
THRESHOLD = 0.5
"""A theme is given from this probability on."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The logistic mapping from points to a probability.

    Set by a regularised logistic regression over public administrations' texts (questions to
    parliaments, fiches of ministries, projects: 3,232 records of seven sources, each source with
    the same weight, titles alone with half), then rounded. Without any one source `title` lies
    between 1.6 and 2.6, `density` between 1.0 and 1.8: the two that lean most on one source.
    """

    bias: float = -2.4
    title: float = 2.3
    lead: float = 0.4
    density: float = 1.5


WEIGHTS = Weights()

SUBTHEME_SHARE = 0.15
"""A sub-theme is given when it has this part of the points of its theme's first one."""
SUBTHEME_POINTS = 1.5
"""And at least these points: one strong term, or some plain ones."""
MOST_SUBTHEMES = 5


@dataclass(slots=True)
class _Tally:
    """What one theme got in one note."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    points: dict[str, float] = field(default_factory=dict)
    title: dict[str, float] = field(default_factory=dict)
    lead: dict[str, float] = field(default_factory=dict)
    subthemes: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    found: list[Found] = field(default_factory=list)

    def body(self) -> float:
        """Points of the body: every distinct term once, its repetitions by their logarithm."""
        return sum(self.points[key] * (1 + math.log(n)) for key, n in self.counts.items())


def theme_tags(subject: Folded, body: Folded) -> tuple[ThemeTag, ...]:
    """The themes of a note, each with sub-themes, probability and evidence; the likeliest first."""
    tallies = tally(subject, body)
    scores = {theme: probability(values) for theme, values in features(tallies, body).items()}
    return tuple(
        ThemeTag(
            theme=theme,
            subthemes=_subthemes(tallies[theme]),
            score=round(scores[theme], 4),
            evidence=evidence(tallies[theme].found),
        )
        for theme in sorted(scores, key=lambda theme: -scores[theme])
        if scores[theme] >= THRESHOLD and tallies[theme].found
    )


def tally(subject: Folded, body: Folded) -> dict[str, _Tally]:
    """What each theme got, from the terms found in subject and body."""
    tallies = {theme: _Tally() for theme in themes()}
    fields: tuple[tuple[Literal["subject", "body"], Folded], ...] = (
        ("subject", subject),
        ("body", body),
    )
    for name, text in fields:
        for match in lexicon().find(text):
            sense = match.term.meaning
            if sense.points and _holds(sense, match, text):
                _count(tallies[sense.theme], name, text, match)
    return tallies


def features(tallies: dict[str, _Tally], body: Folded) -> dict[str, tuple[float, ...]]:
    """Per theme what the probability depends on: points of title, lead and body (by length), each
    as a logarithm, so that no single term can carry a long text.
    """
    length = max(len(body.words), UNIT) / UNIT
    return {
        theme: (
            math.log1p(sum(one.title.values())),
            math.log1p(sum(one.lead.values())),
            math.log1p(one.body() / length**LENGTH_POWER),
        )
        for theme, one in tallies.items()
    }


def probability(values: Sequence[float], weights: Weights = WEIGHTS) -> float:
    """The probability of a theme from its features."""
    title, lead, density = values
    if not (title or lead or density):
        return 0.0
    logit = weights.bias + weights.title * title + weights.lead * lead + weights.density * density
    return 1 / (1 + math.exp(-logit))


def _count(
    one: _Tally, name: Literal["subject", "body"], text: Folded, match: Match[Sense]
) -> None:
    sense, key = match.term.meaning, match.term.key
    leading = name == "subject" or match.first < LEAD
    if name == "subject":
        one.title[key] = max(sense.points, one.title.get(key, 0.0))
        one.subthemes[sense.subtheme] += 2 * sense.points
    else:
        one.counts[key] += 1
        one.points[key] = max(sense.points, one.points.get(key, 0.0))
        one.subthemes[sense.subtheme] += sense.points / one.counts[key]
        if leading:
            one.lead[key] = max(sense.points, one.lead.get(key, 0.0))
    one.found.append(
        Found(
            field=name,
            text=text,
            first=match.first,
            last=match.last,
            source=f"lexicon:{sense.subtheme}",
            weight=sense.points * (2 if leading else 1),
            key=key,
        )
    )


def _holds(sense: Sense, match: Match[Sense], text: Folded) -> bool:
    if not (sense.needs or sense.unless):
        return True
    before = " ".join(text.words[max(0, match.first - WINDOW) : match.first])
    after = " ".join(text.words[match.last + 1 : match.last + 1 + WINDOW])
    near = f" {before}  {after} "
    if any(f" {key} " in near for key in sense.unless):
        return False
    return not sense.needs or any(f" {key} " in near for key in sense.needs)


def _subthemes(one: _Tally) -> tuple[str, ...]:
    ranked = sorted(one.subthemes.items(), key=lambda item: (-item[1], item[0]))
    least = max(SUBTHEME_POINTS, SUBTHEME_SHARE * ranked[0][1])
    return tuple(code.partition(".")[2] for code, points in ranked if points >= least)[
        :MOST_SUBTHEMES
    ]
