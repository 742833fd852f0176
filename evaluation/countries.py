"""Quality of the country tags: how well roles, recall and traps hold, per source of labelled texts.

`python -m evaluation.countries` prints the figures and the worst errors to read by eye. The texts
with public labels are no part of the project: their folder is `VALISE_EVAL_DATA`, or
`../shared/data/eval` beside the checkout. The gold set beside this file is our own.
"""

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from evaluation.records import BESIDE, GOLD
from services.classify import ner
from services.classify.classifier import folded
from services.classify.countries import about_probabilities, country_tags
from services.classify.gazetteer import gazetteer
from services.classify.text import Folded, fold

NEWS, PROJECTS, FIELD, OURS = "AFP", "AFD", "field", "gold"
REFERENCE_SAMPLE = 150
"""Dispatches on which spaCy's whole pipeline is compared: it takes 0.1 s for each."""
BINS = 10

Found = Mapping[str, frozenset[str]]
"""Countries by the id of the text."""


@dataclass(frozen=True, slots=True)
class Case:
    """A labelled text. `ignored` countries count neither right nor wrong."""

    id: str
    source: str
    title: str
    text: str
    post: str | None
    about: frozenset[str]
    mentioned: frozenset[str]
    ignored: frozenset[str]
    trap: bool


@dataclass(frozen=True, slots=True)
class Tags:
    """What the classifier says of a text: countries it is about, and all it found."""

    about: frozenset[str]
    any: frozenset[str]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what was measured on which source, over how many texts."""

    source: str
    what: str
    value: float
    texts: int


def data_folder() -> Path | None:
    """The folder of labelled texts, or None where it is absent."""
    folder = Path(os.environ.get("VALISE_EVAL_DATA") or BESIDE)
    return folder if (folder / "countries.jsonl").is_file() else None


def cases(folder: Path | None) -> list[Case]:
    """All labelled texts: those of `folder` where given, and the gold set."""
    found = list(_gold())
    if folder:
        found += _agencies(folder / "countries.jsonl")
        found += _field(folder / "field.jsonl")
    return found


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _agencies(path: Path) -> Iterator[Case]:
    """News (France ignored: the agency tags it or not as it likes) and development projects."""
    for record in _lines(path):
        news = record["id"].startswith("osc-")
        ignored = frozenset({"FR"}) if news else frozenset()
        yield Case(
            id=record["id"],
            source=NEWS if news else PROJECTS,
            title=record["title"],
            text=record["text"],
            post=None,
            about=frozenset(record["countries"]) - ignored,
            mentioned=frozenset(),
            ignored=ignored,
            trap=False,
        )


def _field(path: Path) -> Iterator[Case]:
    for record in _lines(path):
        yield Case(
            id=record["id"],
            source=FIELD,
            title=record["title"],
            text=record["text"],
            post=None,
            about=frozenset(record["countries_about"]),
            mentioned=frozenset(record["countries_mentioned"]),
            ignored=frozenset(record.get("countries_maybe") or ()),
            trap=bool(record["trap"]),
        )


def _gold() -> Iterator[Case]:
    for record in _lines(GOLD):
        yield Case(
            id=record["id"],
            source=OURS,
            title=record["subject"],
            text=record["body"],
            post=record["post"],
            about=frozenset(record["about"]),
            mentioned=frozenset(record["mentioned"]),
            ignored=frozenset(record["maybe_countries"]),
            trap=bool(record["trap"]),
        )


def _folded(case: Case) -> tuple[Folded, Folded]:
    return folded(case.title, case.text)


def tags(case: Case) -> Tags:
    """What our rules find in a text."""
    subject, body = _folded(case)
    found = country_tags(subject, body, case.post, ner.is_place)
    return Tags(
        about=frozenset(tag.country for tag in found if tag.role == "about"),
        any=frozenset(tag.country for tag in found),
    )


def measure(read: Sequence[Case] | None = None, reference: int = REFERENCE_SAMPLE) -> list[Row]:
    """All figures. `reference`: the number of texts for the comparison with spaCy (0: none)."""
    chosen = cases(data_folder()) if read is None else list(read)
    by_source: dict[str, list[Case]] = defaultdict(list)
    for case in chosen:
        by_source[case.source].append(case)
    rows: list[Row] = []
    for source, texts in by_source.items():
        found = {case.id: tags(case) for case in texts}
        rows += _about(source, texts, {name: one.about for name, one in found.items()})
        rows += _any(source, texts, {name: one.any for name, one in found.items()})
        rows += _traps(source, texts, found)
    if reference and by_source[NEWS]:
        sample = by_source[NEWS][:: max(1, len(by_source[NEWS]) // reference)][:reference]
        theirs = {case.id: with_spacy(case) for case in sample}
        ours = {case.id: tags(case) for case in sample}
        rows += _about(f"{NEWS}, spaCy's places", sample, theirs)
        rows += _about(f"{NEWS}, the same, about", sample, {k: v.about for k, v in ours.items()})
        rows += _about(f"{NEWS}, the same, any role", sample, {k: v.any for k, v in ours.items()})
    return rows


def _about(source: str, texts: Sequence[Case], found: Found) -> list[Row]:
    right = wrong = missed = 0
    for case in texts:
        about = found[case.id] - case.ignored
        right += len(about & case.about)
        wrong += len(about - case.about)
        missed += len(case.about - about)
    return [
        Row(source, "about: precision", right / max(1, right + wrong), len(texts)),
        Row(source, "about: recall", right / max(1, right + missed), len(texts)),
        Row(source, "about: F1", 2 * right / max(1, 2 * right + wrong + missed), len(texts)),
    ]


def _any(source: str, texts: Sequence[Case], found: Found) -> list[Row]:
    """Recall of any role; F1 too where those only mentioned are labelled."""
    right = wrong = missed = 0
    for case in texts:
        labelled = (case.about | case.mentioned) - case.ignored
        named = found[case.id] - case.ignored
        right += len(named & labelled)
        wrong += len(named - labelled)
        missed += len(labelled - named)
    rows = [Row(source, "any role: recall", right / max(1, right + missed), len(texts))]
    if source in {FIELD, OURS}:
        f1 = 2 * right / max(1, 2 * right + wrong + missed)
        rows.append(Row(source, "any role: F1", f1, len(texts)))
    return rows


def _traps(source: str, texts: Sequence[Case], found: Mapping[str, Tags]) -> list[Row]:
    """Texts with a misleading name in which the subjects are exactly those labelled, and in which
    nothing is found beside the labels."""
    traps = [case for case in texts if case.trap]
    if not traps:
        return []
    exact = sum(found[case.id].about - case.ignored == case.about for case in traps)
    clean = sum(
        found[case.id].about - case.ignored == case.about
        and found[case.id].any <= case.about | case.mentioned | case.ignored
        for case in traps
    )
    return [
        Row(source, "traps: subjects right", exact / len(traps), len(traps)),
        Row(source, "traps: and nothing else found", clean / len(traps), len(traps)),
    ]


@cache
def _spacy() -> Any:
    import spacy  # noqa: PLC0415  only for the comparison

    return spacy.load(ner.PACKAGE)


def with_spacy(case: Case) -> frozenset[str]:
    """The countries of the places that spaCy's whole pipeline finds, by our gazetteer."""
    return frozenset(
        match.term.meaning.country
        for entity in _spacy()(f"{case.title}\n{case.text}").ents
        if entity.label_ == "LOC"
        for match in gazetteer().find(fold(entity.text))
        if match.term.meaning.country
    )


def calibration(read: Iterable[Case]) -> list[tuple[float, float, int]]:
    """Per bin of the probability of *about*: its mean, the share that is right, how many."""
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for case in read:
        subject, body = _folded(case)
        scores = about_probabilities(subject, body, case.post, ner.is_place)
        for country, score in scores.items():
            if country not in case.ignored:
                place = min(BINS - 1, int(score * BINS))
                bins[place].append((score, country in case.about))
    return [
        (
            sum(score for score, _ in bins[place]) / len(bins[place]),
            sum(right for _, right in bins[place]) / len(bins[place]),
            len(bins[place]),
        )
        for place in sorted(bins)
    ]


def errors(read: Iterable[Case]) -> Iterator[str]:
    """One line for each text whose subjects are not those labelled."""
    for case in read:
        found = tags(case)
        wrong, missed = found.about - case.about - case.ignored, case.about - found.about
        if wrong or missed:
            unseen = missed - found.any
            yield (
                f"{case.id}\twrong {','.join(sorted(wrong)) or '-'}"
                f"\tmissed {','.join(sorted(missed)) or '-'}"
                f"\tunseen {','.join(sorted(unseen)) or '-'}"
                f"\tright {','.join(sorted(found.about & case.about)) or '-'}\t{case.title[:90]}"
            )


def main() -> int:
    """The command. Exit code 1 where the labelled texts are absent: only the gold set is read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", action="store_true", help="list the errors of every source")
    parser.add_argument("--reference", type=int, default=REFERENCE_SAMPLE)
    parser.add_argument("--source", help="read this source only (AFP, AFD, field, gold)")
    options = parser.parse_args()
    folder = data_folder()
    if folder is None:
        print(f"no labelled texts in {BESIDE}: set VALISE_EVAL_DATA; only the gold set is read")
    read = [case for case in cases(folder) if options.source in {None, case.source}]
    for row in measure(read, options.reference):
        print(f"{row.source:28} {row.what:32} {row.value:.3f}  ({row.texts} texts)")
    print("calibration of about (mean score, share right, tags), AFD and gold:")
    for mean, share, many in calibration(c for c in read if c.source in {PROJECTS, OURS}):
        print(f"  {mean:.2f}  {share:.2f}  {many}")
    if options.errors:
        print("\n".join(errors(read)))
    return 0 if folder else 1


if __name__ == "__main__":
    sys.exit(main())
