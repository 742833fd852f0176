"""How text becomes words: the part of the analysis that both indexes share, before stems.

Elasticsearch gets the same tables as settings (`analysis_settings`); tantivy gets text that went
through `forms`. There are two chains. French: apostrophes made one, text parted into words, elided
articles dropped, lower case, accents folded, a few endings made one, stop words, Snowball French.
Any other language: text parted into words, apostrophes parting too, vowel signs dropped, lower
case, accents folded, and no more.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.search.data import table

LONGEST_RUN = 255
"""Letters and digits in a row that make one word at most (Elasticsearch's own default)."""
MAX_JOINS = 3
"""Apostrophes inside one word: French needs two; 80 KB of `l'l'l'` must not become one word."""
MAX_BREAKS = 20
"""Combining signs or soft hyphens inside one word."""
_FORMS_KEPT = 200_000
"""Distinct words whose forms are remembered: the vocabulary of some 100,000 notes, about 40 MB."""
PIECES_KEPT = 50_000
"""Pieces of text between spaces that are remembered: some 15 MB."""
LONGEST_KEPT = 100
"""Characters of a piece that is remembered: longer ones are addresses and mischief."""
_FRACTIONS = (
    "\u00b2\u00b3\u00b9\u00bc-\u00be\u2070\u2074-\u2079\u2080-\u2089\u2150-\u215f\u2460-\u249b"
)
"""Superscripts, fractions and circled numbers: Python takes them for digits, Unicode's word
boundaries do not."""
_COMBINING = "\u0300-\u036f"
_IDEOGRAPHS = "\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"

_TABLE = table("analysis")
_APOSTROPHES = "'" + "".join(_TABLE["apostrophes"]["values"])
_INVISIBLE = "".join(_TABLE["invisible"]["values"])
_DROPPED = _INVISIBLE + "".join(_TABLE["vowel_signs"]["values"])


def _word(dropped: str) -> str:
    """The pattern of a word without apostrophes; the signs `dropped` may stand in it."""
    sign = rf"[^\W_{_FRACTIONS}{_APOSTROPHES}{_IDEOGRAPHS}{dropped}]"
    inside = rf"[{_COMBINING}{dropped}]{{1,{LONGEST_RUN}}}{sign}{{0,{LONGEST_RUN}}}"
    return rf"{sign}{{1,{LONGEST_RUN}}}(?:{inside}){{0,{MAX_BREAKS}}}"


def _french_pattern() -> re.Pattern[str]:
    # Both cases spelled out: re.IGNORECASE would double the time that a text takes.
    articles = "|".join(
        "".join(f"[{letter}{letter.upper()}]" for letter in article)
        for article in _TABLE["elided_articles"]["values"]
    )
    letter = rf"[^\W\d_{_FRACTIONS}{_APOSTROPHES}{_IDEOGRAPHS}]"
    mark = rf"[{_APOSTROPHES}]"
    joined = rf"(?:(?<={letter}){mark}(?={letter})|(?<=\d){mark}(?=\d))"
    word = _word(_INVISIBLE)
    return re.compile(
        rf"(?:(?:{articles}){mark}(?={letter}))?"
        rf"({word}(?:{joined}{word}){{0,{MAX_JOINS}}}|[{_IDEOGRAPHS}])"
    )


_ENDINGS = [(re.compile(row["pattern"]), str(row["adding"])) for row in _TABLE["endings"]["values"]]
_ARTICLE_ALONE = re.compile(
    rf"\W*(?:{'|'.join(_TABLE['elided_articles']['values'])})[{_APOSTROPHES}]\W*", re.IGNORECASE
)
_TO_APOSTROPHE = re.compile(f"[{_APOSTROPHES}]")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: its form without accents, and where it stands in code points."""

    folded: str
    start: int
    end: int


class _Forms(dict[str, tuple[str, str]]):
    """Plain and folded form of each word seen, as found by the pattern."""

    def __init__(self, dropped: str, endings: Sequence[tuple[re.Pattern[str], str]]) -> None:
        super().__init__()
        self._to_nothing = re.compile(f"[{dropped}]")
        self._endings = endings

    def __missing__(self, found: str) -> tuple[str, str]:
        if len(self) >= _FORMS_KEPT:
            self.clear()
        plain_form = self._to_nothing.sub("", _TO_APOSTROPHE.sub("'", found))
        # One code point stays one, as in Lucene, where Python makes two of this one.
        plain_form = plain_form.replace("İ", "I").lower()
        forms = self[found] = (plain_form, _made_one(fold(plain_form), self._endings))
        return forms


class _PieceForms(dict[str, tuple[str, str]]):
    """Both forms of the words in each piece of text seen, parted by one space; a piece holds no
    space itself."""

    def __init__(self, pattern: re.Pattern[str], forms: _Forms) -> None:
        super().__init__()
        self._pattern = pattern
        self._forms = forms

    def __missing__(self, piece: str) -> tuple[str, str]:
        found = [self._forms[word] for word in self._pattern.findall(piece)]
        forms = " ".join([plain for plain, _ in found]), " ".join([folded for _, folded in found])
        if len(piece) <= LONGEST_KEPT:
            if len(self) >= PIECES_KEPT:
                self.clear()
            self[piece] = forms
        return forms


class Chain:
    """One way from text to words, with what it remembers of the words seen."""

    def __init__(
        self,
        pattern: re.Pattern[str],
        dropped: str,
        endings: Sequence[tuple[re.Pattern[str], str]] = (),
        stop_words: Sequence[str] = (),
    ) -> None:
        """`pattern` has each word in its one group; signs of `dropped` are not part of forms."""
        self.pattern = pattern
        self.forms = _Forms(dropped, endings)
        self.pieces = _PieceForms(pattern, self.forms)
        self.stop_words = frozenset(_made_one(word, endings) for word in stop_words)
        """Words that say nothing, as `Word.folded` has them."""


def pieces_of(text: str) -> list[str]:
    """The text cut at spaces and line ends, which no word crosses.

    That is some ten times faster than finding its words, and a piece that was seen before is known
    by heart.
    """
    return text.replace("\n", " ").split(" ")


def fold(text: str) -> str:
    """Latin letters without their accents and ligatures; other scripts as they are."""
    return text if text.isascii() else "".join(map(_fold_sign, text))


def _made_one(folded: str, endings: Sequence[tuple[re.Pattern[str], str]]) -> str:
    for pattern, added in endings:
        if found := pattern.match(folded):
            folded = str(found[1]) + added
    return folded


FRENCH = Chain(_french_pattern(), _INVISIBLE, _ENDINGS, _TABLE["stop_words"]["values"])
OTHER = Chain(re.compile(f"({_word(_DROPPED)}|[{_IDEOGRAPHS}])"), _DROPPED)
"""Any language but French: every word counts, in the form that it has."""
STOP_WORDS = FRENCH.stop_words


def words(text: str, start: int = 0, *, chain: Chain = FRENCH) -> Iterator[Word]:
    """The words of a text in order from `start` on, stop words included."""
    for found in chain.pattern.finditer(text, start):
        yield Word(chain.forms[found[1]][1], found.start(1), found.end(1))


def words_as_written(text: str, chain: Chain = FRENCH) -> Iterator[tuple[str, int]]:
    """The words as they are written, each with its beginning: `folded_form` gives their form."""
    for found in chain.pattern.finditer(text):
        yield found[1], found.start(1)


def folded_form(written: str, chain: Chain = FRENCH) -> str:
    """The form without accents of one of `words_as_written`."""
    return chain.forms[written][1]


def forms(text: str, chain: Chain = FRENCH) -> tuple[str, str]:
    """The words in lower case, parted by one space: with their accents (for the exact fields), and
    without (for the stemmed ones)."""
    found = [chain.pieces[piece] for piece in pieces_of(text)]
    return (
        " ".join([plain for plain, _ in found if plain]),
        " ".join([folded for _, folded in found if folded]),
    )


def says_something(text: str, chain: Chain = FRENCH) -> bool:
    """Whether any word of the text is more than a stop word or an article cut off from its noun."""
    if chain is FRENCH and _ARTICLE_ALONE.fullmatch(text):
        return False
    return any(word.folded not in chain.stop_words for word in words(text, chain=chain))


def article_length(text: str, chain: Chain = FRENCH) -> int:
    """Length of the elided article and its apostrophe at the beginning of a text, 0 for none."""
    found = chain.pattern.match(text)
    return found.start(1) if found else 0


def analysis_settings() -> dict[str, Any]:
    """The same chain as Elasticsearch's `index.analysis` settings."""
    signs = dict.fromkeys(_TABLE["separators"]["values"], "\\u0020")
    french = dict.fromkeys(_TABLE["apostrophes"]["values"], "'") | signs
    other = dict.fromkeys(_APOSTROPHES, "\\u0020") | signs
    endings = {
        f"valise_ending_{number}": {
            "type": "pattern_replace",
            "pattern": row["pattern"],
            "replacement": f"$1{row['adding']}",
        }
        for number, row in enumerate(_TABLE["endings"]["values"])
    }
    accented = ["valise_elision", "lowercase"]
    folded = [*accented, "asciifolding", *endings]
    return {
        "char_filter": {
            "valise_signs": _mapping(french | dict.fromkeys(_INVISIBLE, "")),
            "valise_other_signs": _mapping(other | dict.fromkeys(_DROPPED, "")),
        },
        "filter": {
            "valise_elision": {
                "type": "elision",
                "articles": _TABLE["elided_articles"]["values"],
                "articles_case": True,
            },
            "valise_stop": {"type": "stop", "stopwords": sorted(STOP_WORDS)},
            "valise_stems": {
                "type": "stemmer_override",
                "rules": [f"{word} => {stem}" for word, stem in _TABLE["stems"]["values"].items()],
            },
            **endings,
            "valise_french": {"type": "stemmer", "language": "french"},
        },
        "analyzer": {
            "valise_stemmed": _analyzer([*folded, "valise_stop", "valise_stems", "valise_french"]),
            "valise_parts": _analyzer(folded),
            "valise_exact": _analyzer(accented),
            "valise_other": _analyzer(["lowercase", "asciifolding"], "valise_other_signs"),
        },
    }


def _mapping(signs: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "mapping",
        "mappings": [
            f"\\u{ord(sign):04x} => {meaning}".rstrip() for sign, meaning in signs.items()
        ],
    }


def _analyzer(filters: list[str], signs: str = "valise_signs") -> dict[str, Any]:
    return {
        "type": "custom",
        "char_filter": [signs],
        "tokenizer": "standard",
        "filter": filters,
    }


# Letters that Unicode does not take apart.
_UNDIVIDED = {
    "æ": "ae", "œ": "oe", "ø": "o", "ß": "ss", "ł": "l", "đ": "d", "ð": "d", "þ": "th",
    "ħ": "h", "ı": "i", "ŧ": "t", "ŋ": "n", "ĸ": "q", "ſ": "s", "ə": "a",
}  # fmt: skip


def _fold_sign(sign: str) -> str:
    if sign in _UNDIVIDED:
        return _UNDIVIDED[sign]
    base = "".join(
        part for part in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(part)
    )
    return base.lower() if base.isascii() and base.isalnum() else sign
