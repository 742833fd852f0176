"""How text becomes words: the part of the French analysis that both indexes share, before stems.

Elasticsearch gets the same tables as settings (`analysis_settings`); tantivy gets text that went
through `forms`. The chain: apostrophes made one, text parted into words, elided
articles dropped, lower case, accents folded, a few endings made one, stop words, Snowball French.
"""

import re
import unicodedata
from collections.abc import Iterator
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


def _word_pattern() -> re.Pattern[str]:
    # Both cases spelled out: re.IGNORECASE would double the time that a text takes.
    articles = "|".join(
        "".join(f"[{letter}{letter.upper()}]" for letter in article)
        for article in _TABLE["elided_articles"]["values"]
    )
    sign = rf"[^\W_{_FRACTIONS}{_APOSTROPHES}{_IDEOGRAPHS}]"
    inside = rf"[{_COMBINING}{_INVISIBLE}]{{1,{LONGEST_RUN}}}{sign}{{0,{LONGEST_RUN}}}"
    letter = rf"[^\W\d_{_FRACTIONS}{_APOSTROPHES}{_IDEOGRAPHS}]"
    mark = rf"[{_APOSTROPHES}]"
    joined = rf"(?:(?<={letter}){mark}(?={letter})|(?<=\d){mark}(?=\d))"
    word = rf"{sign}{{1,{LONGEST_RUN}}}(?:{inside}){{0,{MAX_BREAKS}}}"
    return re.compile(
        rf"(?:(?:{articles}){mark}(?={letter}))?"
        rf"({word}(?:{joined}{word}){{0,{MAX_JOINS}}}|[{_IDEOGRAPHS}])"
    )


_WORD = _word_pattern()
_ENDINGS = [(re.compile(row["pattern"]), str(row["adding"])) for row in _TABLE["endings"]["values"]]
_ARTICLE_ALONE = re.compile(
    rf"\W*(?:{'|'.join(_TABLE['elided_articles']['values'])})[{_APOSTROPHES}]\W*", re.IGNORECASE
)
_TO_APOSTROPHE = re.compile(f"[{_APOSTROPHES}]")
_TO_NOTHING = re.compile(f"[{_INVISIBLE}]")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: its form without accents, and where it stands in code points."""

    folded: str
    start: int
    end: int


class _Forms(dict[str, tuple[str, str]]):
    """Plain and folded form of each word seen, as found by the pattern."""

    def __missing__(self, found: str) -> tuple[str, str]:
        if len(self) >= _FORMS_KEPT:
            self.clear()
        plain_form = _TO_NOTHING.sub("", _TO_APOSTROPHE.sub("'", found))
        # One code point stays one, as in Lucene, where Python makes two of this one.
        plain_form = plain_form.replace("İ", "I").lower()
        forms = self[found] = (plain_form, _made_one(fold(plain_form)))
        return forms


class _PieceForms(dict[str, tuple[str, str]]):
    """Both forms of the words in each piece of text seen, parted by one space; a piece holds no
    space itself."""

    def __missing__(self, piece: str) -> tuple[str, str]:
        found = [_forms[word] for word in _WORD.findall(piece)]
        forms = " ".join([plain for plain, _ in found]), " ".join([folded for _, folded in found])
        if len(piece) <= LONGEST_KEPT:
            if len(self) >= PIECES_KEPT:
                self.clear()
            self[piece] = forms
        return forms


def pieces_of(text: str) -> list[str]:
    """The text cut at spaces and line ends, which no word crosses.

    That is some ten times faster than finding its words, and a piece that was seen before is known
    by heart.
    """
    return text.replace("\n", " ").split(" ")


def fold(text: str) -> str:
    """Latin letters without their accents and ligatures; other scripts as they are."""
    return text if text.isascii() else "".join(map(_fold_sign, text))


def _made_one(folded: str) -> str:
    for pattern, added in _ENDINGS:
        if found := pattern.match(folded):
            folded = str(found[1]) + added
    return folded


def words(text: str, start: int = 0) -> Iterator[Word]:
    """The words of a text in order from `start` on, stop words included."""
    for found in _WORD.finditer(text, start):
        yield Word(_forms[found[1]][1], found.start(1), found.end(1))


def words_as_written(text: str) -> Iterator[tuple[str, int]]:
    """The words as they are written, each with its beginning: `folded_form` gives their form."""
    for found in _WORD.finditer(text):
        yield found[1], found.start(1)


def folded_form(written: str) -> str:
    """The form without accents of one of `words_as_written`."""
    return _forms[written][1]


def forms(text: str) -> tuple[str, str]:
    """The words in lower case, parted by one space: with their accents (for the exact fields), and
    without (for the stemmed ones)."""
    found = [_piece_forms[piece] for piece in pieces_of(text)]
    return (
        " ".join([plain for plain, _ in found if plain]),
        " ".join([folded for _, folded in found if folded]),
    )


def says_something(text: str) -> bool:
    """Whether any word of the text is more than a stop word or an article cut off from its noun."""
    return not _ARTICLE_ALONE.fullmatch(text) and any(
        word.folded not in STOP_WORDS for word in words(text)
    )


def article_length(text: str) -> int:
    """Length of the elided article and its apostrophe at the beginning of a text, 0 for none."""
    found = _WORD.match(text)
    return found.start(1) if found else 0


def analysis_settings() -> dict[str, Any]:
    """The same chain as Elasticsearch's `index.analysis` settings."""
    signs = dict.fromkeys(_TABLE["apostrophes"]["values"], "'")
    signs |= dict.fromkeys(_TABLE["separators"]["values"], "\\u0020")
    signs |= dict.fromkeys(_TABLE["invisible"]["values"], "")
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
            "valise_signs": {
                "type": "mapping",
                "mappings": [
                    f"\\u{ord(sign):04x} => {meaning}".rstrip() for sign, meaning in signs.items()
                ],
            }
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
        },
    }


def _analyzer(filters: list[str]) -> dict[str, Any]:
    return {
        "type": "custom",
        "char_filter": ["valise_signs"],
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


_forms = _Forms()
_piece_forms = _PieceForms()
STOP_WORDS = frozenset(map(_made_one, _TABLE["stop_words"]["values"]))
"""Words that say nothing, as `Word.folded` has them."""
