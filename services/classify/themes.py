"""Themes and sub-themes of a note, from the terms of the lexicon, with probability and evidence."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from schemas.classification import ThemeTag
from schemas.vocabulary import subthemes, themes
from services.classify import linear
from services.classify.evidence import Found, evidence
from services.classify.lexicon import Sense, lexicon
from services.classify.matching import Match
from services.classify.text import Folded

LEAD = 80
"""Words of the body that tell what it is about: the first paragraph of a note."""
UNIT = 100
"""Words over which the body's points are averaged; a shorter body counts as this long."""
LENGTH_POWER = 0.75
"""How fast longer texts dilute points: between 0.5 and 1 the fit hardly changes; more than a square
root, so that passing mentions in a report of eighty pages make no theme."""
THRESHOLD = 0.38
"""A theme is given from this probability on: below one half, as the best F1 lies near half of
itself (a missed theme costs as much as a wrong one)."""
MODEL_PASSAGES = 3
"""Passages of evidence from the learnt words, after those of the lexicon."""
LEAST_ADD = 0.5
"""Logits that a learnt word must add to be shown beside terms of the lexicon."""
LIGHTEST = 0.1
"""The weight of evidence that is no term of the lexicon."""

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
    body = linear.body_beyond(subject, body)
    tallies, known = tally(subject, body)
    found = linear.weighed(linear.counted(subject, body, known), dense(tallies, body))
    tags = []
    for theme, score in sorted(found.probability.items(), key=lambda item: -item[1]):
        if score < THRESHOLD:
            break
        learnt = found.words[theme]
        if not (tallies[theme].found or linear.speak(learnt)):
            continue
        least = LEAST_ADD if tallies[theme].found else 0.0
        words = [term for term, add in learnt[:MODEL_PASSAGES] if add >= least]
        passages = [*tallies[theme].found, *_learnt(words, subject, body, known)]
        if passages:
            tags.append(
                ThemeTag(
                    theme=theme,
                    subthemes=_subthemes(tallies[theme]),
                    score=round(score, 4),
                    evidence=evidence(passages),
                )
            )
    return tuple(tags)


def tally(subject: Folded, body: Folded) -> tuple[dict[str, _Tally], linear.Known]:
    """What each theme got from the terms found in subject and body, and the words of all terms,
    those that mean nothing among them.
    """
    tallies = {theme: _Tally() for theme in themes()}
    known: dict[str, dict[int, bool]] = {"subject": {}, "body": {}}
    fields: tuple[tuple[Literal["subject", "body"], Folded], ...] = (
        ("subject", subject),
        ("body", body),
    )
    for name, text in fields:
        counted: set[tuple[int, str]] = set()
        for match in lexicon().find(text):
            sense = match.term.meaning
            said = sense.points > 0
            known[name].update(dict.fromkeys(range(match.first, match.last + 1), said))
            if said:
                passage = (match.first, sense.theme)
                _count(tallies[sense.theme], name, text, match, first=passage not in counted)
                counted.add(passage)
    return tallies, linear.Known(known["subject"], known["body"])


def dense(tallies: dict[str, _Tally], body: Folded) -> list[float]:
    """What the model weighs of the lexicon's terms, in the order of `linear.dense_names`.

    For each theme the points of title, lead and body, then those of each sub-theme, the last two by
    length; each as a logarithm, so that no single term can carry a long text.
    """
    length = (max(len(body.words), UNIT) / UNIT) ** LENGTH_POWER
    values: list[float] = []
    for one in tallies.values():
        values.append(math.log1p(sum(one.title.values())))
        values.append(math.log1p(sum(one.lead.values())))
        values.append(math.log1p(one.body() / length))
    for code in subthemes():
        one = tallies[code.partition(".")[0]]
        values.append(math.log1p(one.subthemes.get(code, 0.0) / length))
    return values


def _learnt(
    terms: Sequence[str], subject: Folded, body: Folded, known: linear.Known
) -> Iterator[Found]:
    """Where the words that the model goes by first stand, as evidence lighter than any term."""
    fields: tuple[tuple[Literal["subject", "body"], Folded, Mapping[int, bool]], ...] = (
        ("subject", subject, known.subject),
        ("body", body, known.body),
    )
    for rank, term in enumerate(terms, start=1):
        for name, text, left in fields:
            place = next(linear.places(term, text, left), None)
            if place:
                key = term.removeprefix(linear.TITLE)
                yield Found(name, text, *place, f"model:{key}", LIGHTEST / rank, key)
                break


def _count(
    one: _Tally,
    name: Literal["subject", "body"],
    text: Folded,
    match: Match[Sense],
    *,
    first: bool,
) -> None:
    """Add a passage; not the `first` time, it speaks for another sub-theme of the same theme."""
    sense, key = match.term.meaning, match.term.key
    leading = name == "subject" or match.first < LEAD
    if name == "subject":
        one.title[key] = max(sense.points, one.title.get(key, 0.0))
        one.subthemes[sense.subtheme] += 2 * sense.points
    else:
        one.counts[key] += first
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


def _subthemes(one: _Tally) -> tuple[str, ...]:
    if not one.subthemes:
        return ()
    ranked = sorted(one.subthemes.items(), key=lambda item: (-item[1], item[0]))
    least = max(SUBTHEME_POINTS, SUBTHEME_SHARE * ranked[0][1])
    return tuple(code.partition(".")[2] for code, points in ranked if points >= least)[
        :MOST_SUBTHEMES
    ]
