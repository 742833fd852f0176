"""Quality of the theme tags, per source, and what a user would do instead, from one command.

`its source`: the model that judges a text has not seen its whole source; that is the figure that
counts for texts of a kind not known yet. `its fold`: it has seen other texts of that source.
"""

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from evaluation import training
from evaluation.records import GOLD, BySource, Record, data_folder, read
from evaluation.training import Judged
from schemas.vocabulary import themes
from services.classify import linear
from services.classify.classifier import classify_texts
from services.classify.themes import THRESHOLD

BINS = 10
KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "travail": (
        "travail",
        "emploi",
        "chômage",
        "salaire",
        "salarié",
        "syndicat",
        "licenciement",
        "formation professionnelle",
    ),
    "sante": (
        "santé",
        "médecin",
        "hôpital",
        "médicament",
        "maladie",
        "vaccin",
        "soins",
        "épidémie",
    ),
    "protection_sociale": (
        "retraite",
        "sécurité sociale",
        "protection sociale",
        "allocation",
        "assurance maladie",
        "handicap",
        "pension",
        "famille",
    ),
}
"""The list that somebody would write in five minutes."""

Found = dict[str, dict[str, float]]
"""Per record id, the probability of each theme (1 or 0 where a way gives none)."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way of finding themes: how it did on every source."""

    name: str
    held_out: str
    by_source: BySource


def measure() -> tuple[list[Way], list[tuple[float, float, int]], list[str]]:
    """All ways, the calibration of ours (mean score, share right, number, per bin of scores on
    folds and left-out sources), and the worst errors, one a line. Raises FileNotFoundError
    without the labelled texts.
    """
    folder = data_folder()
    if folder is None:
        raise FileNotFoundError(
            "the labelled texts are absent: VALISE_EVAL_DATA names their folder"
        )
    records = read(folder / "themes.jsonl")
    other = [*read(folder / "field.jsonl"), *read(GOLD)]
    known = {one.id: training.examples(one) for one in records}
    model = linear.learnt()
    by_folds = training.left_out(known, records, by_source=False)
    by_source = training.left_out(known, records, by_source=True)
    ours = {one.id: shipped(one) for one in other}
    folds = _found(by_folds, model)
    outside = _found(by_source, model)
    ways = [
        _way("Valise", "its fold", records, folds),
        _way("Valise", "its source", records, outside),
        _way("Valise", "all of them", other, ours),
        _way("keyword list", "", [*records, *other], keywords([*records, *other])),
        *_baseline("TF-IDF, logistic regression", records, other, tf_idf),
        *_baseline("spaCy textcat (bag of words)", records, other, textcat),
    ]
    bins = calibration(
        [(folds[one.id], one) for one in records] + [(outside[one.id], one) for one in records]
    )
    return ways, bins, worst(records, outside)


def shipped(record: Record) -> dict[str, float]:
    """What the classifier as shipped finds in a text."""
    tags = classify_texts(record.title, record.text).themes
    return {tag.theme: tag.score for tag in tags}


def keywords(records: Iterable[Record]) -> Found:
    """Themes of which a keyword stands in the text."""
    return {
        one.id: {
            theme: float(any(word in f"{one.title} {one.text}".lower() for word in words))
            for theme, words in KEYWORDS.items()
        }
        for one in records
    }


def tf_idf(train: Sequence[Record], test: Sequence[Record]) -> Found:
    """Words and pairs of words, logistic regression, classes balanced, one half as threshold."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    matrix = vectors.fit_transform([f"{one.title}\n{one.text}" for one in train])
    asked = vectors.transform([f"{one.title}\n{one.text}" for one in test])
    found: Found = {one.id: {} for one in test}
    for theme in themes():
        used = [at for at, one in enumerate(train) if theme not in one.maybe]
        labels = [theme in train[at].labels for at in used]
        fitted = LogisticRegression(C=10, class_weight="balanced", max_iter=300).fit(
            matrix[used], labels
        )
        for one, probability in zip(test, fitted.predict_proba(asked)[:, 1], strict=True):
            found[one.id][theme] = _above(probability, 0.5)
    return found


def textcat(train: Sequence[Record], test: Sequence[Record]) -> Found:
    """spaCy's own text classifier, bag of words, several labels, ten rounds over the texts."""
    import spacy  # noqa: PLC0415
    from spacy.training import Example as Labelled  # noqa: PLC0415
    from thinc.api import fix_random_seed  # noqa: PLC0415

    language = spacy.blank("fr")
    categories = language.add_pipe(
        "textcat_multilabel",
        config={"model": {"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": False,
                          "ngram_size": 2, "no_output_layer": False}},
    )  # fmt: skip
    for theme in themes():
        categories.add_label(theme)  # type: ignore[attr-defined]
    labelled = [
        Labelled.from_dict(
            language.make_doc(_short(one)),
            {
                "cats": {
                    theme: float(theme in one.labels)
                    for theme in themes()
                    if theme not in one.maybe
                }
            },
        )
        for one in train
    ]
    fix_random_seed(training.SEED)
    chance = random.Random(training.SEED)
    optimizer = language.initialize(lambda: labelled)
    for _ in range(10):
        chance.shuffle(labelled)
        for at in range(0, len(labelled), 32):
            language.update(labelled[at : at + 32], sgd=optimizer)
    return {
        one.id: {theme: _above(doc.cats[theme], 0.5) for theme in themes()}
        for one, doc in zip(test, language.pipe([_short(one) for one in test]), strict=True)
    }


def calibration(
    pairs: Sequence[tuple[Mapping[str, float], Record]],
) -> list[tuple[float, float, int]]:
    """Mean score, share right and number of the scores in each tenth."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for found, record in pairs:
        for theme, score in found.items():
            if theme not in record.maybe and not (record.single_label and record.labels - {theme}):
                bins[min(BINS - 1, int(score * BINS))].append((score, theme in record.labels))
    return [
        (sum(s for s, _ in one) / len(one), sum(r for _, r in one) / len(one), len(one))
        for one in bins
        if one
    ]


def worst(records: Sequence[Record], found: Found, most: int = 60) -> list[str]:
    """The errors that the model was surest of, to be read by eye."""
    errors = []
    for one in records:
        for theme, score in found[one.id].items():
            if (
                score >= THRESHOLD
                and theme not in one.labels | one.maybe
                and not (one.single_label and one.labels)
            ):
                errors.append((score, f"{score:.2f} {one.id} +{theme}: {one.title[:110]}"))
            if score < THRESHOLD and theme in one.labels:
                errors.append((1 - score, f"{score:.2f} {one.id} -{theme}: {one.title[:110]}"))
    return [line for _, line in sorted(errors, reverse=True)[:most]]


def _baseline(
    name: str,
    records: Sequence[Record],
    other: Sequence[Record],
    learn: Callable[[Sequence[Record], Sequence[Record]], Found],
) -> list[Way]:
    """The same figures for a way that learns."""
    ways = []
    for by_source, held in ((False, "its fold"), (True, "its source")):
        found: Found = {}
        for left in training.held(records, by_source=by_source):
            out = {one.id for one in left}
            found |= learn([one for one in records if one.id not in out], left)
        ways.append(_way(name, held, records, found, 0.5))
    return [*ways, _way(name, "all of them", other, learn(records, other), 0.5)]


def _way(
    name: str, held_out: str, records: Sequence[Record], found: Found, least: float = THRESHOLD
) -> Way:
    by_source = BySource()
    for one in records:
        by_source.add(one, [theme for theme, score in found[one.id].items() if score >= least])
    return Way(name, held_out, by_source)


def _found(judged: Sequence[Judged], model: linear.Model) -> Found:
    return {one.record.id: training.probabilities(one, model) for one in judged}


def _above(probability: float, least: float) -> float:
    return float(probability) if math.isfinite(probability) and probability >= least else 0.0


def _short(record: Record) -> str:
    """spaCy's tokenizer is slow: the beginning of long texts."""
    return f"{record.title}\n{record.text}"[:3_000]
