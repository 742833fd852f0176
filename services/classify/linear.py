"""The learnt part of the theme classifier: one logistic model per theme over terms and words.

What it weighs: the points that the lexicon's terms got (by theme and by sub-theme), and the words
of the text, cut to their stems, one by one and in pairs. Words that stand in terms of the lexicon
are marked, and weighed by themselves. The weights, learnt by `python -m evaluation.training`, are
in `data/themes_model.txt`, whose head says from what. The mapping of its output to a probability
(`calibration`) was fitted on texts that the weights had not seen.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from schemas.vocabulary import subthemes, themes
from services.classify.text import Folded, fold

FILE = "data/themes_model.txt"

TITLE_FACTOR = 2
"""A word of the title counts as often, and once more as a word of a title."""
TITLE = "T:"
LEXICAL = "L:"
"""The mark of a word that stands in a term of the lexicon, and of a pair that holds one."""
STEM = 7
"""Letters of a stem: what is left of families (retraite, retraité) without a table of endings.
Between 5 and 9 nothing changes."""
SHORTEST = 3
LONGEST = STEM + 3
"""Letters of a word that its stem can depend on."""

FARTHEST = 5
"""Words from the first to the last of a pair that is shown as evidence, little words included."""
CLUE = 1.5
"""What learnt words beyond the lexicon must add, in logits, for a theme that no term of the lexicon
speaks for: its neighbours' terms alone make no theme (health insurance is no health, unless care is
spoken of)."""

_STOP = frozenset(
    {
        *(
            "le",
            "la",
            "les",
            "de",
            "des",
            "du",
            "d",
            "l",
            "un",
            "une",
            "et",
            "a",
            "au",
            "aux",
            "en",
        ),
        *("dans", "pour", "par", "sur", "que", "qu", "qui", "ce", "cette", "ces", "il", "elle"),
        *(
            "ils",
            "elles",
            "son",
            "sa",
            "ses",
            "se",
            "s",
            "est",
            "sont",
            "ont",
            "ne",
            "pas",
            "n",
            "y",
        ),
        *("ou", "avec", "plus", "leur", "leurs", "m", "mme", "ete", "etre", "afin", "ainsi"),
    }
)

Features = Sequence[float]
"""Of one text, in the order of `dense_names`."""


@dataclass(frozen=True, slots=True)
class Model:
    """Weights per theme, in the order of `themes()`: of the dense features and of each term.

    `terms` maps a term to its inverse document frequency, then its weight for each theme.
    `calibration` is (slope, offset) per theme, applied to the sum before the logistic function.
    """

    bias: tuple[float, ...]
    dense: tuple[tuple[float, ...], ...]
    terms: Mapping[str, tuple[float, ...]]
    calibration: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Known:
    """The words of a text that stand in terms of the lexicon, by their number: whether the term
    says something, or hides them (neutral.txt).
    """

    subject: Mapping[int, bool]
    body: Mapping[int, bool]


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the model makes of one text: per theme, the probability and the words that speak for it.

    `words`: stems beyond the lexicon with what they add, the strongest first. Those of the lexicon
    add to the probability too; what speaks for a theme there are its terms.
    """

    probability: dict[str, float]
    words: dict[str, list[tuple[str, float]]]


def dense_names() -> tuple[str, ...]:
    """The names of the dense features: three for each theme, one for each sub-theme."""
    own = [f"{code}:{part}" for code in themes() for part in ("title", "lead", "density")]
    return (*own, *subthemes())


def counted(subject: Folded, body: Folded, known: Known) -> Counter[str]:
    """How often each stem and each pair of stems stands in a text; those of the title again, by
    themselves. Words that the lexicon hides are not counted.
    """
    counts: Counter[str] = Counter()
    for term, _, _ in _terms(subject.words, known.subject):
        counts[term] += TITLE_FACTOR
        counts[TITLE + term] += 1
    counts.update(term for term, _, _ in _terms(body.words, known.body))
    return counts


def weighed(counts: Mapping[str, int], dense: Features, model: "Model | None" = None) -> Weighed:
    """The model's verdict on a text with these counts and dense features."""
    used = model or learnt()
    known = [
        (term, row, (1 + math.log(count)) * row[0])
        for term, count in counts.items()
        if (row := used.terms.get(term)) is not None
    ]
    norm = math.sqrt(sum(value * value for _, _, value in known)) or 1.0
    probability: dict[str, float] = {}
    words: dict[str, list[tuple[str, float]]] = {}
    for at, theme in enumerate(themes()):
        adds = [(term, value * row[at + 1] / norm) for term, row, value in known if row[at + 1]]
        total = used.bias[at] + sum(add for _, add in adds)
        total += sum(w * x for w, x in zip(used.dense[at], dense, strict=True) if x)
        slope, offset = used.calibration[at]
        probability[theme] = 1 / (1 + math.exp(-max(-50.0, min(50.0, slope * total + offset))))
        words[theme] = sorted(
            (add for add in adds if add[1] > 0 and not _lexical(add[0])), key=lambda add: -add[1]
        )
    return Weighed(probability, words)


def speak(words: Sequence[tuple[str, float]]) -> bool:
    """Whether these words with what they add are a clue to their theme by themselves."""
    return sum(add for _, add in words) >= CLUE


def places(term: str, text: Folded, known: Mapping[int, bool]) -> Iterator[tuple[int, int]]:
    """Where a stem or pair of stems stands in a text: first and last word of each occurrence."""
    wanted = term.removeprefix(TITLE)
    return (
        (first, last)
        for found, first, last in _terms(text.words, known)
        if found == wanted and last - first <= FARTHEST
    )


@cache
def learnt() -> Model:
    """The model that is shipped. Raises ValueError on a damaged file."""
    text = (files("services.classify") / FILE).read_text(encoding="utf-8")
    return parsed(text.splitlines())


def parsed(lines: Iterable[str]) -> Model:
    """A model as `written` wrote it. Raises ValueError on a line that says nothing it knows."""
    named: dict[str, tuple[float, ...]] = {}
    terms: dict[str, tuple[float, ...]] = {}
    for line in lines:
        if not line or line.startswith("#"):
            continue
        name, *numbers = line.split("\t")
        (named if name.startswith("@") else terms)[name] = tuple(map(float, numbers))
    count = len(themes())
    if any(len(row) != count + 1 for row in terms.values()):
        raise ValueError(f"{FILE}: a term with another number of weights than {count + 1}")
    try:
        dense = zip(*(named[f"@{name}"] for name in dense_names()), strict=True)
        return Model(
            bias=named["@bias"],
            dense=tuple(dense),
            terms=terms,
            calibration=tuple(zip(named["@slope"], named["@offset"], strict=True)),
        )
    except KeyError as missing:
        raise ValueError(f"{FILE}: no line {missing}") from None


def written(model: Model, provenance: Sequence[str]) -> str:
    """The model as text: a head of comments, then a name and its numbers a line."""
    rows = [("@bias", model.bias)]
    rows += [
        (f"@{name}", values)
        for name, values in zip(dense_names(), zip(*model.dense, strict=True), strict=True)
    ]
    rows += [("@slope", tuple(slope for slope, _ in model.calibration))]
    rows += [("@offset", tuple(offset for _, offset in model.calibration))]
    rows += sorted(model.terms.items())
    head = [f"# {line}" for line in provenance]
    lines = ["\t".join([name, *(f"{value:.4g}" for value in values)]) for name, values in rows]
    return "\n".join([*head, *lines]) + "\n"


EMPTY = fold("")


def body_beyond(subject: Folded, body: Folded) -> Folded:
    """The body, or an empty text where it only repeats the subject."""
    return EMPTY if body.words == subject.words else body


def _lexical(term: str) -> bool:
    return term.removeprefix(TITLE).startswith(LEXICAL)


def _terms(words: Sequence[str], known: Mapping[int, bool]) -> Iterator[tuple[str, int, int]]:
    """Stems and pairs of neighbours, with their first and last word. Nothing reaches across a sign,
    a figure or what the lexicon hides.
    """
    before: tuple[str, int, bool] | None = None
    for at, word in enumerate(words):
        lexical = known.get(at)
        if lexical is False or not word.isalpha():
            before = None
            continue
        # Its beginning decides, and the table of stems keeps no monsters.
        stem = _stem(word[:LONGEST])
        if stem is None:
            continue
        yield f"{LEXICAL}{stem}" if lexical else stem, at, at
        if before:
            mark = LEXICAL if lexical or before[2] else ""
            yield f"{mark}{before[0]} {stem}", before[1], at
        before = stem, at, bool(lexical)


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str | None:
    """The stem of a folded word; None for little words, which say nothing."""
    if len(word) < SHORTEST or word in _STOP:
        return None
    if len(word) > 4 and word[-1] in "sx":
        word = word[:-1]
    if len(word) > 4 and word[-1] == "e":
        word = word[:-1]
    return word[:STEM]
