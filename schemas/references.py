"""References of notes in one form: the same number, whatever dash, space or slash it was typed
with.

A word processor writes `MAD‑2026‑4` with a dash that does not break, a form with the plain one.
Applied at the door, before a note is kept: what is kept stays as it is.
"""

import re

from schemas.note import Note

_DASHES = re.compile("\u00ad?[\u2010-\u2015\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d\u00ad]\u00ad?")
_SLASHES = re.compile("[\u2044\u2215\u29f8\uff0f]")
_NOTHING = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff]")
_BESIDE_A_DASH = re.compile("(?<=-)\u00ad|\u00ad(?=-)")


def one_dash(text: str) -> str:
    """The text with one kind of dash and of slash, and without signs that are not seen."""
    if text.isascii():
        return text
    plain = _BESIDE_A_DASH.sub("", _NOTHING.sub("", text))
    return _SLASHES.sub("/", _DASHES.sub("-", plain))


def plain_reference(text: str) -> str:
    """A reference in the form in which it is kept; one in ASCII stays as it is, but for spaces."""
    return " ".join(one_dash(text).split()) or text


def with_plain_references(note: Note) -> Note:
    """The note with its references in that form: its own, and those of other notes."""
    found = {
        "reference": plain_reference(note.reference),
        "cites": tuple(map(plain_reference, note.cites)),
        "replies_to": plain_reference(note.replies_to) if note.replies_to else note.replies_to,
    }
    kept = {name: getattr(note, name) for name in found}
    return note if found == kept else note.model_copy(update=found)
