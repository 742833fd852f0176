"""Train the learnt part of the theme classifier (services/classify/linear.py).

    python -m evaluation.training FILE… [--output services/classify/data/themes_model.txt]

Each FILE is JSON Lines of labelled texts (see records.py), as `valise corrections export` writes
them. The same files, code and locked versions give the same weights.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from evaluation.records import Record, read, sources
from schemas.vocabulary import themes
from services.classify import linear
from services.classify.classifier import folded
from services.classify.linear import Model
from services.classify.text import Folded
from services.classify.themes import dense, tally

OUTPUT = Path(linear.__file__).parent / linear.FILE

TITLE_WEIGHT = 0.5
"""Of a record's title alone, trained on as a text of its own: notes may be all title."""
BODY_WEIGHT = 0.25
"""Of its text alone."""
OTHER_WEIGHT = 0.3
"""Of a theme beside a single label, taken for absent: it may be there all the same."""
TYPICAL_SOURCE = 400
"""Records of a source as large as this weigh 1; those of a smaller one more, of a larger one
less, by the square root of their number."""
LEAST_TEXTS = 3
"""Texts in which a term must stand."""
MOST_TERMS = 20_000
"""Terms kept, those with the largest weights: a file that can be read, and under a megabyte."""
OWN_SCALE = 0.2
"""Of the lexicon's features of a theme for that theme, beside the words' vectors of length 1."""
OTHERS_SCALE = 0.04
"""Of the other themes' features: they tell something (a text on medicines is seldom on wages), but
a source that leaves neighbours open would have them speak for each other."""
INVERSE_PENALTY = 8.0
"""C of the regularised regression: between 4 and 16 the left-out figures hardly change."""
FOLDS = 5
SEED = 20261122

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Example:
    """What is learnt from one text: a whole record, its title, or its body."""

    record: Record
    weight: float
    counts: Mapping[str, int]
    dense: Sequence[float]


@dataclass(frozen=True, slots=True)
class Judged:
    """A record with the sums per theme that a model gave, and whether its text has clues."""

    record: Record
    total: tuple[float, ...]
    clue: tuple[bool, ...]


def examples(record: Record, *, parts: bool = True) -> list[Example]:
    """The record as a whole, first; then its parts, each by itself."""
    subject, body = folded(record.title, record.text)
    found = [_example(record, 1.0, subject, body)]
    if parts and linear.body_beyond(subject, body).words:
        found.append(_example(record, TITLE_WEIGHT, subject, linear.EMPTY))
        found.append(_example(record, BODY_WEIGHT, linear.EMPTY, body))
    return found


def fit(given: Sequence[Example]) -> Model:
    """The weights that these examples teach; its output is not calibrated yet."""
    terms = _terms(given)
    first = _coefficients(given, terms)
    largest = np.abs(first[0]).max(axis=0)
    kept = sorted(np.argsort(-largest, kind="stable")[:MOST_TERMS])
    names = list(terms)
    terms = {names[at]: terms[names[at]] for at in kept}
    words, others, bias = _coefficients(given, terms)
    return Model(
        bias=tuple(map(float, bias)),
        dense=tuple(tuple(float(w) for w in row) for row in others),
        terms={
            term: (round(idf, 3), *(round(float(row[at]), 3) for row in words))
            for at, (term, idf) in enumerate(terms.items())
        },
        calibration=((1.0, 0.0),) * len(themes()),
    )


def totals(model: Model, given: Iterable[Example]) -> list[Judged]:
    """The model's sums for these examples, before the logistic function."""
    return [_judged(one, linear.weighed(one.counts, one.dense, model)) for one in given]


def left_out(
    known: Mapping[str, Sequence[Example]], records: Sequence[Record], *, by_source: bool
) -> list[Judged]:
    """Every record judged by a model that has not seen it: without its fold, or its source."""
    judged: list[Judged] = []
    for left in held(records, by_source=by_source):
        out = {one.id for one in left}
        model = fit([each for one in records if one.id not in out for each in known[one.id]])
        judged += totals(model, (known[one.id][0] for one in left))
    return judged


def calibrated(model: Model, judged: Sequence[Judged]) -> Model:
    """The model with the mapping from its sums to the share of records in which they were right."""
    pairs: list[tuple[float, float]] = []
    for at, theme in enumerate(themes()):
        sure = [one for one in judged if _known(one.record, theme) == 1.0]
        x = np.array([[one.total[at]] for one in sure])
        y = np.array([theme in one.record.labels for one in sure])
        mapping = LogisticRegression(C=1e6).fit(x, y)
        pairs.append((round(float(mapping.coef_[0][0]), 3), round(float(mapping.intercept_[0]), 3)))
    return replace(model, calibration=tuple(pairs))


def probabilities(judged: Judged, model: Model) -> dict[str, float]:
    """The calibrated probabilities of a judged record, of the themes with a clue."""
    return {
        theme: 1 / (1 + math.exp(-(slope * total + offset))) if clue else 0.0
        for theme, total, clue, (slope, offset) in zip(
            themes(), judged.total, judged.clue, model.calibration, strict=True
        )
    }


def train(records: Sequence[Record]) -> Model:
    """The model of all these records, calibrated on left-out ones (folds, and whole sources where
    there are several).
    """
    known = {one.id: examples(one) for one in records}
    judged = left_out(known, records, by_source=False)
    if len(sources(records)) > 1:
        judged += left_out(known, records, by_source=True)
    return calibrated(fit([each for one in records for each in known[one.id]]), judged)


def provenance(paths: Sequence[Path], records: Sequence[Record]) -> list[str]:
    """The head of the weights' file: what they were learnt from, and with what."""
    counted = {name: sum(one.source == name for one in records) for name in sources(records)}
    return [
        "The learnt weights of the theme classifier: term, inverse document frequency, one weight",
        f"per theme ({', '.join(themes())}); @ lines: bias, dense features, calibration.",
        "Written by python -m evaluation.training; do not edit.",
        f"Provenance: learnt from {len(records)} records: "
        + ", ".join(f"{name} {n}" for name, n in counted.items())
        + ".",
        *(f"{path.name}: SHA-256 {sha256(path.read_bytes()).hexdigest()}" for path in paths),
        *PUBLIC_SOURCES,
        f"scikit-learn {version('scikit-learn')}, numpy {np.__version__}; weights only, no text.",
    ]


PUBLIC_SOURCES = (
    "Sources, public administrations' texts: an, questions to the Assemblée nationale (Licence",
    "Ouverte); vdd, service-public.fr (Licence Ouverte); mt, ministry of labour (Licence Ouverte);",
    "ch, Swiss parliament; lu, questions of the Luxembourg chamber; afd, projects of the Agence",
    "française de développement (Licence Ouverte); andl, legislative dossiers (Licence Ouverte).",
)


def _example(record: Record, weight: float, subject: Folded, body: Folded) -> Example:
    body = linear.body_beyond(subject, body)
    tallies, known = tally(subject, body)
    return Example(record, weight, linear.counted(subject, body, known), dense(tallies, body))


def _judged(one: Example, found: linear.Weighed) -> Judged:
    own = [any(one.dense[3 * at : 3 * at + 3]) for at in range(len(themes()))]
    return Judged(
        one.record,
        tuple(_logit(probability) for probability in found.probability.values()),
        tuple(
            term or linear.speak(words)
            for term, words in zip(own, found.words.values(), strict=True)
        ),
    )


def _terms(given: Sequence[Example]) -> dict[str, float]:
    """Terms in texts enough, with their inverse document frequency, in alphabetical order."""
    texts: dict[str, int] = {}
    for one in given:
        for term in one.counts:
            texts[term] = texts.get(term, 0) + 1
    return {
        term: math.log((1 + len(given)) / (1 + number)) + 1
        for term, number in sorted(texts.items())
        if number >= LEAST_TEXTS
    }


def _coefficients(
    given: Sequence[Example], terms: Mapping[str, float]
) -> tuple[Array, Array, Array]:
    """Per theme the weights of the terms, of the dense features, and the bias."""
    columns = {term: at for at, term in enumerate(terms)}
    idf = np.array(list(terms.values()))
    starts, at, values = [0], [], []
    for one in given:
        row = [
            (columns[term], 1 + math.log(n)) for term, n in one.counts.items() if term in columns
        ]
        numbers = np.array([n for _, n in row]) * idf[[c for c, _ in row]] if row else np.zeros(0)
        norm = float(np.linalg.norm(numbers)) or 1.0
        at += [column for column, _ in row]
        values.append(numbers / norm)
        starts.append(len(at))
    words = sparse.csr_matrix((np.concatenate(values), at, starts), shape=(len(given), len(terms)))
    others = sparse.csr_matrix(np.array([one.dense for one in given]))
    matrix = sparse.hstack([words, others]).tocsr()
    size = {
        name: sum(one.source == name for one in {e.record.id: e.record for e in given}.values())
        for name in sources([e.record for e in given])
    }
    rows: list[Array] = []
    bias: list[float] = []
    for theme in themes():
        weight = np.array(
            [
                one.weight
                * _known(one.record, theme)
                * math.sqrt(TYPICAL_SOURCE / size[one.record.source])
                for one in given
            ]
        )
        used = weight > 0
        labels = np.array([theme in one.record.labels for one in given])
        scale = _scale(theme, len(terms))
        # Its shuffling is seeded: the same examples give the same weights.
        found = LogisticRegression(
            C=INVERSE_PENALTY, solver="liblinear", max_iter=300, random_state=SEED
        )
        found.fit(matrix[used] @ sparse.diags(scale), labels[used], sample_weight=weight[used])
        rows.append(found.coef_[0] * scale)
        bias.append(float(found.intercept_[0]))
    together = np.array(rows)
    return together[:, : len(terms)], together[:, len(terms) :], np.array(bias)


def _scale(theme: str, terms: int) -> Array:
    """The scale of each column for a theme's weights: of all terms, of the lexicon's features, its
    own and its neighbours'. A small scale means that weight must be earned by much evidence.
    """
    dense_scale = [
        OWN_SCALE if name.startswith((f"{theme}:", f"{theme}.")) else OTHERS_SCALE
        for name in linear.dense_names()
    ]
    return np.array([1.0] * terms + dense_scale)


def _known(record: Record, theme: str) -> float:
    """How far a record's label tells whether this theme holds: 0 not at all, 1 surely."""
    if theme in record.labels:
        return 1.0
    if theme in record.maybe:
        return 0.0
    return OTHER_WEIGHT if record.single_label and record.labels else 1.0


def held(records: Sequence[Record], *, by_source: bool) -> Iterator[list[Record]]:
    """The records to leave out in turn."""
    by_name = {name: [one for one in records if one.source == name] for name in sources(records)}
    if by_source:
        yield from by_name.values()
        return
    chance = np.random.default_rng(SEED)
    folds: list[list[Record]] = [[] for _ in range(FOLDS)]
    for its in by_name.values():
        for place, number in enumerate(chance.permutation(len(its))):
            folds[place % FOLDS].append(its[number])
    yield from folds


def _logit(probability: float) -> float:
    least = 1e-9
    inside = min(1 - least, max(least, probability))
    return math.log(inside / (1 - inside))


def main() -> None:
    """Read the files, train, write the weights."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.training", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="labelled texts, JSON Lines")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    try:
        records = [one for path in given.files for one in read(path)]
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    if any(one.source == "osc" for one in records):
        sys.exit("records of a news agency (osc-) are for measuring only")
    model = train(records)
    given.output.write_text(
        linear.written(model, provenance(given.files, records)), encoding="utf-8"
    )
    sys.stdout.write(f"{given.output}: {len(model.terms)} terms, {len(records)} records\n")


if __name__ == "__main__":
    main()
