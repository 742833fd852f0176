"""Signs that word processors and page layout leave in a text, made plain again."""

import re

_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)
"""Typesetting's only: œ and æ are letters of French."""
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_INVISIBLE = re.compile(
    "\u00ad\n?|[\x00-\x08\x0e-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
_SPACES = re.compile("[\t\u2000-\u2008\u200a\u205f\u3000]")
_THIN = "\u2009"
_RUNS = re.compile(" {2,}")
_ROUND_LINES = re.compile(" *\n *")
_BLANK_LINES = re.compile("\n{3,}")
_SURROGATES = re.compile("[\ud800-\udfff]")


def tidy(text: str) -> str:
    """The text with plain letters, spaces and line ends; at most one blank line in a row.

    No-break spaces (U+00A0, U+202F) stay: French puts them before its double signs and inside
    numbers; a thin space becomes the second of them. Soft hyphens go.
    """
    text = _LINE_ENDS.sub("\n", text).translate(_LIGATURES)
    text = _SURROGATES.sub("\ufffd", _INVISIBLE.sub("", text))
    text = _SPACES.sub(" ", text.replace(_THIN, "\u202f"))
    text = _ROUND_LINES.sub("\n", _RUNS.sub(" ", text))
    return _BLANK_LINES.sub("\n\n", text).strip()


def one_line(text: str) -> str:
    """The text on one line."""
    return " ".join(tidy(text).split())
