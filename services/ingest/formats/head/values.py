"""What stands after a label: on its line, on the next one, over several."""

import re
from collections.abc import Sequence

from services.ingest.formats.head import dates, genres, labels, posts, references
from services.ingest.formats.head.folding import folded
from services.ingest.formats.head.labels import Labelled
from services.ingest.formats.head.lines import LONG_LINE, Line

MOST_LINES = 3
"""Lines of a subject."""
_GOES_ON = re.compile(
    r"(?:\b(?:de|du|des|d'|la|le|les|l'|et|ou|en|a|au|aux|sur|pour|par|dans|avec|entre|un|une"
    r"|vers|sans|sous|contre|dont|que|qui)|[,:–—-]|['’])$"
)
_BULLET = re.compile(r"[-•–*]\s*")
_ENDS_OPEN = (";", ",")


def subject_of(lines: Sequence[Line], number: int, label: Labelled) -> tuple[str, int]:
    """The subject after its label and the lines that it takes: on the label's line, with the next
    one where that goes on, or on those that follow a label alone."""
    value, taken = label.value, 1
    alone = not value
    while number + taken < len(lines) and taken < MOST_LINES + alone:
        line = lines[number + taken]
        if not _is_of_subject(line, value, alone=alone) or (not label.sure and line.is_prose):
            break
        value = f"{value} {line.text}".strip()
        taken += 1
    return value, taken


def value_after(lines: Sequence[Line], number: int) -> tuple[str, int]:
    """What stands on the line after a label alone, and the lines that both take."""
    if number + 1 < len(lines) and not _is_other(lines[number + 1]):
        return lines[number + 1].text, 2
    return "", 1


def listed(lines: Sequence[Line], number: int, label: Labelled) -> tuple[str, int]:
    """The values of a list that a label begins, a line each: bullets, or lines after one that ends
    open; after a label alone the next line too."""
    values, taken = [label.value] if label.value else [], 1
    before = label.value
    while number + taken < len(lines):
        line = lines[number + taken]
        bullet = _BULLET.match(line.text)
        first = taken == 1 and not label.value and _follows(line, label)
        if not (bullet or first or before.endswith(_ENDS_OPEN)) or _is_label(line):
            break
        before = line.text[bullet.end() :] if bullet else line.text
        values.append(before.rstrip(" ;,"))
        taken += 1
    return "\n".join(values), taken if values else 1


def _follows(line: Line, label: Labelled) -> bool:
    """Whether the line after a label alone is its value."""
    if label.name in ("reference", "cited", "cites"):
        return bool(references.cited(line.text)) and len(line.text.split()) <= 12
    return not _is_other(line) and not line.is_prose


def _is_of_subject(line: Line, value: str, *, alone: bool) -> bool:
    """Whether a line goes on with the subject that begins with `value`."""
    if len(line.text) > LONG_LINE or _is_other(line):
        return False
    if not value:
        return True
    small = line.text[:1].islower()
    open_ended = _GOES_ON.search(folded(value)) is not None
    if line.apart:
        return small and not line.is_prose and not value.endswith((".", "!", "?"))
    return small or open_ended or (alone and not line.is_prose)


def _is_label(line: Line) -> bool:
    found = labels.read(line.cells[0])
    return found is not None and (found.sure or len(line.cells) > 1)


def _is_other(line: Line) -> bool:
    """Whether a line says something of its own."""
    return bool(
        labels.read(line.cells[0])
        or references.of_line(line.text)
        or posts.titled(line.text)
        or dates.dateline(line.text, lambda place: bool(posts.placed(place)))
        or (genres.genre(line.text) and not genres.may_be_heading(line.text))
    )
