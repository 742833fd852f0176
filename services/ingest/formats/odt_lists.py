"""What an ODT says apart from its text of how paragraphs and spans look: styles and numbering.

Read from the styles of `content.xml` and `styles.xml`. The number of an item is counted as a word
processor counts it: a list begins again unless it says which one it continues.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.ingest.formats import raised
from services.ingest.formats.numbering import BULLET, BY_SIGN, NONE, Counter, Level, whole
from services.ingest.formats.xml import Element, attribute, children, local

DEEPEST = 20
"""Styles based on styles: more is a circle."""
OUTLINE = "outline"
"""The name that the numbering of headings is counted under."""
_LEVELS = ("list-level-style-number", "list-level-style-bullet", "list-level-style-image")
_SHIFT = re.compile(r"(super|sub|-?\d+(?:\.\d+)?%)")
_PLACE = re.compile(r"%(\d+)%")


@dataclass(frozen=True, slots=True)
class _Style:
    based_on: str = ""
    height: str | None = None


@dataclass
class Look:
    """The styles of a document, its lists' levels, and how far each list is counted."""

    styles: dict[str, _Style] = field(default_factory=dict)
    levels: dict[str, list[Level]] = field(default_factory=dict)
    counters: dict[str, Counter] = field(default_factory=dict)
    last: dict[str, Counter] = field(default_factory=dict)

    def height(self, style: str) -> str:
        """The mark before what a style of characters raises or lowers; empty for all others."""
        for _ in range(DEEPEST):
            found = self.styles.get(style)
            if found is None:
                break
            if found.height is not None:
                return found.height
            style = found.based_on
        return ""

    def begin(self, element: Element, style: str) -> Counter:
        """The numbers of an outermost list: new ones, or those of the list that it continues."""
        continued = self.counters.get(attribute(element, "continue-list"))
        if continued is None and attribute(element, "continue-numbering") == "true":
            continued = self.last.get(style)
        counter = continued if continued is not None else Counter()
        self.last[style] = counter
        if name := attribute(element, "id"):
            self.counters[name] = counter
        return counter

    def label(self, style: str, counter: Counter, depth: int, start: str) -> str:
        """Count a list's item and return its label; a hyphen where its style is not known."""
        levels = self.levels.get(style, [])
        if depth >= len(levels):
            return "-"
        return counter.next(levels, depth, whole(start, 1) if start else None)

    def of_heading(self, heading: Element) -> str:
        """Count a heading and return its number; empty where headings have none."""
        levels = self.levels.get(OUTLINE, [])
        depth = whole(attribute(heading, "outline-level"), 1) - 1
        header = attribute(heading, "is-list-header") == "true"
        if header or not 0 <= depth < len(levels) or levels[depth].form in (NONE, BULLET):
            return ""
        start = attribute(heading, "start-value")
        value = whole(start, 1) if start else None
        if value is None and attribute(heading, "restart-numbering") == "true":
            value = levels[depth].start
        return self.counters.setdefault(OUTLINE, Counter()).next(levels, depth, value)


def look_of(roots: Iterable[Element]) -> Look:
    """The looks that these parts of an ODT define; what comes later wins."""
    found = Look()
    for root in roots:
        for part in children(root, "styles", "automatic-styles"):
            for element in part:
                name = local(element)
                if name == "style":
                    found.styles[attribute(element, "name")] = _style(element)
                elif name == "list-style":
                    found.levels[attribute(element, "name")] = _levels(element, _LEVELS)
                elif name == "outline-style":
                    found.levels[OUTLINE] = _levels(element, ("outline-level-style",))
    return found


def _style(element: Element) -> _Style:
    height = None
    for properties in children(element, "text-properties"):
        if shift := _SHIFT.match(attribute(properties, "text-position").strip()):
            height = _mark(shift[1])
    return _Style(attribute(element, "parent-style-name"), height)


def _mark(shift: str) -> str:
    if shift == "super":
        return raised.UP
    if shift == "sub":
        return raised.DOWN
    moved = float(shift.removesuffix("%")[:8])
    return raised.UP if moved > 0 else raised.DOWN if moved < 0 else ""


def _levels(style: Element, names: tuple[str, ...]) -> list[Level]:
    by_depth: dict[int, Level] = {}
    for element in children(style, *names):
        depth = whole(attribute(element, "level"), 1) - 1
        if 0 <= depth < DEEPEST:
            by_depth[depth] = _level(element, depth)
    return [by_depth.get(depth, Level(form=NONE)) for depth in range(max(by_depth, default=-1) + 1)]


def _level(element: Element, depth: int) -> Level:
    if local(element) not in ("list-level-style-number", "outline-level-style"):
        return Level(form=BULLET)
    form = BY_SIGN.get(attribute(element, "num-format"), NONE)
    if form == NONE:
        return Level(form=NONE)
    given = _PLACE.sub(r"%\1", attribute(element, "num-list-format"))
    if not given:
        shown = max(1, min(whole(attribute(element, "display-levels"), 1), depth + 1))
        places = ".".join(f"%{each + 1}" for each in range(depth + 1 - shown, depth + 1))
        prefix, suffix = attribute(element, "num-prefix"), attribute(element, "num-suffix")
        given = f"{prefix}{places}{suffix}"
    return Level(form=form, start=whole(attribute(element, "start-value"), 1), text=given)
