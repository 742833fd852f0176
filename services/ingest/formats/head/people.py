"""Who wrote a document and to whom it goes, as labels say it."""

import re

MOST_PEOPLE = 50
LONGEST = 200
"""Characters of a name with its office, as in schemas.note."""
_PARTED = re.compile(r"\s*(?:;|\n|\||(?<=\s)/(?=\s)|,\s*(?=[A-ZÀ-Ý])(?![^()]*\)))\s*")
_AND = re.compile(r"\s+et\s+(?=[A-ZÀ-Ý]{2,}\b)")
_MARK = re.compile(r"^[-–•\s]+")


def one(value: str) -> str:
    """A name, with its office where that stands beside it."""
    return value.strip(" ,;|").strip()[:LONGEST].strip()


def several(value: str) -> list[str]:
    """The addressees in a value, in order, each once: parted by semicolons, lines, slashes between
    blanks, commas before a capital, and `et` before initials."""
    found: dict[str, None] = {}
    for part in _PARTED.split(_AND.sub("; ", value)):
        name = _MARK.sub("", part).strip(" .")
        if any(map(str.isalnum, name)) and len(found) < MOST_PEOPLE:
            found[name[:LONGEST]] = None
    return list(found)
