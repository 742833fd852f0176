"""Who wrote a document and to whom it goes, as labels say it."""

import re

MOST_PEOPLE = 50
LONGEST = 200
"""Characters of a name with its office, as in schemas.note."""
_PARTED = re.compile(r"\s*(?:;|\n|\||(?<=\s)/(?=\s)|,\s*(?=[A-ZÀ-Ý])(?![^()]*\)))\s*")
_AND = re.compile(r"\s+et\s+(?=[A-ZÀ-Ý]{2,}\b)")
_INITIALS = re.compile(r"[A-ZÉ]{2,8}(?: [A-ZÉ]{2,8})+")
_MARK = re.compile(r"^[-–•\s]+")


def one(value: str) -> str:
    """A name, with its office where that stands beside it."""
    return value.strip(" ,;|").strip()[:LONGEST].strip()


def several(value: str) -> list[str]:
    """The addressees in a value, in order, each once: parted by semicolons, lines, slashes between
    blanks, commas before a capital, `et` before initials, blanks between nothing but initials."""
    found: dict[str, None] = {}
    for part in _PARTED.split(_AND.sub("; ", value)):
        name = _MARK.sub("", part).strip(" .")
        for each in name.split() if _INITIALS.fullmatch(name) else [name]:
            if any(map(str.isalnum, each)) and len(found) < MOST_PEOPLE:
                found[each[:LONGEST]] = None
    return list(found)
