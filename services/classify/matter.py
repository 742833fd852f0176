"""What of a note its tags are given for: its own text, without letterhead, signature, menus.

What another message said weighs nothing where the note says something itself; where it only
forwards, the forwarded message is what it says.
"""

from collections.abc import Iterable

from services.runtime.parts import (
    Kind,
    Part,
    is_letterhead,
    own_words,
    parts,
    parts_of_quoted,
    without,
)

WEIGHTLESS = frozenset(
    {Kind.LETTERHEAD, Kind.QUOTED, Kind.NAVIGATION, Kind.SIGNATURE, Kind.CONTENTS}
)
"""Annexes are the note's own matter; a cover's sentence may be all that it says of it."""
IN_LISTS = frozenset({Kind.NAVIGATION, Kind.CONTENTS})
LEAST_WORDS = 3
"""Fewer own words than that say nothing: a greeting, a name, `Bien reçu`."""
DEEPEST = 3
"""A forwarded message in so many others is looked for."""


def matter(subject: str, body: str) -> tuple[str, str]:
    """Subject and body with blanks for what weighs nothing; all else stays where it is."""
    said = body_matter(body)
    named = is_letterhead(subject) and said.strip()
    return " " * len(subject) if named else subject, said


def body_matter(body: str) -> str:
    """The body with blanks for what weighs nothing."""
    found = parts(body)
    if not found:
        return body
    for depth in range(DEEPEST):
        del depth
        if _says(body, found):
            break
        listed = tuple(part for part in found if part.kind not in IN_LISTS)
        if _says(body, listed):
            found = listed
            break
        if not any(part.kind is Kind.QUOTED for part in found):
            found = listed
            break
        found = tuple(_opened(body, found))
    return without(body, [part for part in found if part.kind in WEIGHTLESS])


def _says(body: str, found: Iterable[Part]) -> bool:
    """Whether there is own text, in annexes too."""
    return own_words(body, [part for part in found if part.kind is not Kind.ANNEX]) >= LEAST_WORDS


def _opened(body: str, found: Iterable[Part]) -> Iterable[Part]:
    """The parts, with those of quoted messages in place of these."""
    for part in found:
        if part.kind is Kind.QUOTED:
            yield from parts_of_quoted(body, part)
        else:
            yield part
