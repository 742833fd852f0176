"""Letters as a reader sees them: whatever script, alphabet or accent they are written with.

Unicode's own tables come first (compatibility forms, names of characters); what looks alike across
scripts is a list of our own, `data/lookalikes.json`.
"""

import json
import re
import unicodedata
from importlib.resources import files

UNKNOWN = "\x1a"
"""Stands for a letter that looks like no Latin one."""

MOST_PARTS = 4
"""Characters that one is taken apart into: some signs of Arabic stand for a whole sentence."""

_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_NAMES = re.compile(
    r"(?:[A-Z ]*? )?LATIN (?:SMALL|CAPITAL|LETTER|LETTER SMALL) "
    r"(?:LETTER |CAPITAL )?(?:[A-Z]+ )?([A-Z])(?: WITH .*)?"
)
_FLAG = "REGIONAL INDICATOR SYMBOL LETTER "
_LINE_ENDS = "\x85\u2028\u2029"
_MOST_KEPT = 50_000
"""Characters that are remembered once seen, in 5 MB: a hostile text may hold a million."""
_IDEOGRAPHS = ((0x3400, 0xA000), (0xAC00, 0xD7A4), (0x17000, 0x19000), (0x20000, 0x40000))
"""Whole blocks of letters that look like none of ours, not to be asked for one by one."""


class _Plain(dict[int, str]):
    """What each character looks like, in ASCII; found out when it is first asked for."""

    def __missing__(self, code: int) -> str:
        if any(first <= code < end for first, end in _IDEOGRAPHS):
            return UNKNOWN
        found = self._seen_as(chr(code))
        if len(self) < _MOST_KEPT:
            self[code] = found
        return found

    def _seen_as(self, char: str) -> str:
        if char in _LINE_ENDS:
            return "\n"
        category = unicodedata.category(char)
        if category[0] == "M" or category == "Cf":
            return ""
        parts = unicodedata.normalize("NFKD", char)
        if parts != char:
            return "".join(c if c.isascii() else self[ord(c)] for c in parts[:MOST_PARTS])
        name = unicodedata.name(char, "")
        if name.startswith(_FLAG):
            return name[-1]
        if "LATIN" in name and (found := _NAMES.fullmatch(name)):
            return found[1] if "CAPITAL" in name else found[1].lower()
        if category == "Nd":
            return str(unicodedata.digit(char))
        if category[0] in "LN":
            return UNKNOWN
        return {"Pd": "-", "Pi": '"', "Pf": '"'}.get(category, " ")


def _table() -> _Plain:
    data = json.loads((files("schemas") / "data" / "lookalikes.json").read_text("utf-8"))
    table = _Plain({ord(char): "" for char in data["invisible"]})
    for seen_as, characters in data["lookalikes"].items():
        table.update({ord(char): seen_as for char in characters})
    table.update({ord("•"): "*", ord("’"): "'"})
    return table


_TABLE = _table()


def plain(text: str) -> str:
    """The text in ASCII, as it looks: same case, same lines, no accents, nothing invisible.

    A letter that looks like none of ours becomes UNKNOWN, any other sign a space. Linear in the
    text's length.
    """
    if text.isascii():
        return text
    return _FOREIGN.sub(lambda run: run[0].translate(_TABLE), text)
