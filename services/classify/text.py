"""Reading a text for matching: folded words, each of which knows where it stands in the original.

Folding drops case, accents, ligatures and the look of apostrophes, hyphens and line ends. Words
keep their place, so a match of whole words is always an exact span of the text as it was given,
whatever its Unicode form.
"""

import re
import unicodedata
from collections.abc import Container
from dataclasses import dataclass
from itertools import accumulate

# Combining marks and characters without width belong to the word they stand in.
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff"
)
_MARKS += "\u20d0-\u20ff\ufe20-\ufe2f\u00ad\u200b-\u200d\u2060\ufeff"
_JOINERS = "'’‘ʼ`´\u2010\u2011\u2012\u2013\u2014-"
_TOKENS = re.compile(
    rf"[\w{_MARKS}]+"  # a word
    r"|(?<=\s)[-\u2010-\u2014](?=\s)"  # a dash or a bullet
    r"|\n\s*\n"  # the end of a paragraph
    rf"|([^\w\s{_MARKS}{_JOINERS}])\1*"  # other punctuation; a run of one sign is one token
)
_HYPHENATED = re.compile(r"[\w]-[^\S\n]*\n[^\S\n]*\w")
_BREAK = re.compile(r"-\s+")

_CACHED_BELOW = 0x3000
"""Folded characters below this code point are remembered: all alphabets of Europe and beyond, and
a table that no hostile text can make grow without end."""


class _Fold(dict[int, str]):
    """For `str.translate`: each character without accents and ligatures, in lower case."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        plain = "".join(c for c in unicodedata.normalize("NFKD", char.lower()) if c.isalnum())
        if not plain and not unicodedata.combining(char) and unicodedata.category(char) != "Cf":
            plain = char
        folded = _LETTERS.get(plain, plain)
        if code < _CACHED_BELOW:
            self[code] = folded
        return folded


_LETTERS = {"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ı": "i", "þ": "th"}
_FOLD = _Fold({ord(" "): " "})


@dataclass(frozen=True, slots=True)
class Folded:
    """A text as it is matched: `line` is the folded words between single spaces.

    `words[i]` stands at `spans[i]` of `text`; `places` gives `i` by where it begins in `line`.
    """

    text: str
    line: str
    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    places: dict[int, int]

    def surface(self, first: int, last: int) -> str:
        """The original text from word `first` to word `last`, both included."""
        return self.text[self.spans[first][0] : self.spans[last][1]]


def fold(text: str, known: Container[str] = ()) -> Folded:
    """Fold a text. A word broken by a hyphen at a line's end is mended where the whole is `known`.

    Never raises; takes time in proportion to the text, whatever it is.
    """
    readable = text.replace("_", " ") if "_" in text else text
    spans = [match.span() for match in _TOKENS.finditer(readable)]
    if "-\n" in text or _HYPHENATED.search(text):
        spans = _mend(readable, spans, known)
        pieces = [_piece(readable[start:end]) for start, end in spans]
    else:
        pieces = [readable[start:end] for start, end in spans]
    line = fold_line(" ".join(["¶" if piece[0] == "\n" else piece for piece in pieces]))
    words = tuple(line.split(" ")) if pieces else ()
    starts = accumulate([len(word) + 1 for word in words], initial=1)
    return Folded(
        text=text,
        line=f" {line} ",
        words=words,
        spans=tuple(spans),
        places=dict(zip(starts, range(len(words)), strict=False)),
    )


def fold_line(text: str) -> str:
    """One line of words, folded; spaces stay."""
    return text.lower().translate(_FOLD)


def fold_term(term: str) -> str:
    """A term of the lexicon as it stands in a folded line."""
    return " ".join(fold(term).words)


def _piece(piece: str) -> str:
    return piece if piece[0] == "\n" else _BREAK.sub("", piece)


def _mend(text: str, spans: list[tuple[int, int]], known: Container[str]) -> list[tuple[int, int]]:
    mended: list[tuple[int, int]] = []
    for start, end in spans:
        if mended:
            gap = text[mended[-1][1] : start]
            whole = text[mended[-1][0] : mended[-1][1]] + text[start:end]
            if gap[:1] == "-" and gap.strip() == "-" and "\n" in gap and fold_line(whole) in known:
                mended[-1] = (mended[-1][0], end)
                continue
        mended.append((start, end))
    return mended
