"""What a DOCX says apart from its text of how paragraphs and runs look: styles and numbering.

`Styles` and `Lists` are read from `word/styles.xml` and `word/numbering.xml`; both are empty where
the document has none. The number of a paragraph is counted as Word counts it: lists that share
their levels go on, one that overrides its start begins again.
"""

from dataclasses import dataclass, field

from services.ingest.formats.numbering import BULLET, DECIMAL, NONE, Counter, Level, whole
from services.ingest.formats.xml import Element, attribute, children, local

DEEPEST = 20
"""Styles based on styles, and lists that lead to lists: more is a circle."""
_NO_LIST = "0"


@dataclass(frozen=True, slots=True)
class Style:
    """A style: its name, the one it is based on, its list, how high its letters stand."""

    name: str = ""
    based_on: str = ""
    list_id: str = ""
    level: int = -1
    height: str = ""
    outline: bool = False


@dataclass
class Styles:
    """The styles of a document by their ids."""

    all: dict[str, Style] = field(default_factory=dict)

    def chain(self, style_id: str) -> list[Style]:
        """The style and those it is based on, itself first."""
        found: list[Style] = []
        while (style := self.all.get(style_id)) is not None and len(found) < DEEPEST:
            found.append(style)
            style_id = style.based_on
        return found


@dataclass
class _List:
    levels: dict[int, Level]
    styles: dict[str, int]
    linked: str = ""


@dataclass
class _Instance:
    abstract: str
    own: dict[int, Level] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)
    begun: set[int] = field(default_factory=set)


@dataclass
class Lists:
    """The lists of a document, and how far each is counted."""

    abstract: dict[str, _List] = field(default_factory=dict)
    instances: dict[str, _Instance] = field(default_factory=dict)
    counters: dict[str, Counter] = field(default_factory=dict)

    def label(self, list_id: str, depth: int, styles: Styles) -> str | None:
        """Count the next item of a list and return its label; None where the list is not known."""
        instance = self.instances.get(list_id)
        found = self._levels(instance, styles) if instance else None
        if instance is None or found is None:
            return None
        name, levels = found
        deepest = max((*levels, *instance.own, depth)) + 1
        both = [instance.own.get(d) or levels.get(d) or Level() for d in range(deepest)]
        start = None
        if depth in instance.starts and depth not in instance.begun:
            start = instance.starts[depth]
        instance.begun.add(depth)
        counter = self.counters.setdefault(name, Counter())
        return counter.next(both, depth, start)

    def level_of_style(self, list_id: str, style_id: str, styles: Styles) -> int:
        """The level that a list gives to a paragraph style; 0 where it names none."""
        instance = self.instances.get(list_id)
        found = self._levels(instance, styles) if instance else None
        return self.abstract[found[0]].styles.get(style_id, 0) if found else 0

    def _levels(self, instance: _Instance, styles: Styles) -> tuple[str, dict[int, Level]] | None:
        """The levels of a list by the name they are counted under, through links to styles."""
        name = instance.abstract
        for _ in range(DEEPEST):
            found = self.abstract.get(name)
            if found is None or not found.linked:
                break
            list_id = next((s.list_id for s in styles.chain(found.linked) if s.list_id), "")
            linked = self.instances.get(list_id)
            if linked is None or linked.abstract == name:
                break
            name = linked.abstract
        known = self.abstract.get(name)
        return (name, known.levels) if known else None


def styles_of(root: Element | None) -> Styles:
    """The styles of `word/styles.xml`."""
    found = Styles()
    for element in children(root, "style") if root is not None else ():
        list_id, level, outline = "", -1, False
        for properties in children(element, "pPr"):
            list_id, level = numbering_of(properties)
            outline = any(attribute(e, "val") != "9" for e in children(properties, "outlineLvl"))
        found.all[attribute(element, "styleId")] = Style(
            name=_value(element, "name").lower(),
            based_on=_value(element, "basedOn"),
            list_id=list_id,
            level=level,
            height=next((height_of(each) for each in children(element, "rPr")), ""),
            outline=outline,
        )
    return found


def lists_of(root: Element | None) -> Lists:
    """The lists of `word/numbering.xml`."""
    found = Lists()
    for element in root if root is not None else ():
        if local(element) == "abstractNum":
            found.abstract[attribute(element, "abstractNumId")] = _abstract(element)
        elif local(element) == "num":
            found.instances[attribute(element, "numId")] = _instance(element)
    return found


def numbering_of(properties: Element) -> tuple[str, int]:
    """The list's id and the level that a paragraph's properties name; empty and -1 for none."""
    for element in children(properties, "numPr"):
        return _value(element, "numId"), whole(_value(element, "ilvl"), -1)
    return "", -1


def in_no_list(list_id: str) -> bool:
    """Whether a paragraph says that it is in no list, whatever its style."""
    return list_id == _NO_LIST


def height_of(properties: Element) -> str:
    """How a run's properties set it: `superscript`, `subscript`, `baseline`, empty if unsaid."""
    for element in children(properties, "vertAlign"):
        return attribute(element, "val")
    for element in children(properties, "position"):
        moved = whole(attribute(element, "val"), 0)
        return "superscript" if moved > 0 else "subscript" if moved < 0 else ""
    return ""


def _abstract(element: Element) -> _List:
    found = _List({}, {}, _value(element, "numStyleLink"))
    for each in children(element, "lvl"):
        depth = whole(attribute(each, "ilvl"), 0)
        if 0 <= depth < DEEPEST:
            found.levels[depth] = _level(each)
            if style := _value(each, "pStyle"):
                found.styles.setdefault(style, depth)
    return found


def _instance(element: Element) -> _Instance:
    found = _Instance(_value(element, "abstractNumId"))
    for override in children(element, "lvlOverride"):
        depth = whole(attribute(override, "ilvl"), 0)
        if not 0 <= depth < DEEPEST:
            continue
        for level in children(override, "lvl"):
            found.own[depth] = _level(level)
        if start := _value(override, "startOverride"):
            found.starts[depth] = whole(start, 1)
    return found


def _level(element: Element) -> Level:
    form = _value(element, "numFmt") or DECIMAL
    text = _value(element, "lvlText")
    if form == BULLET:
        text = ""
    elif not text:
        form = NONE
    return Level(
        form=form,
        start=whole(_value(element, "start"), 0),
        text=text,
        restart=whole(_value(element, "lvlRestart"), -1),
        figures=any(attribute(e, "val") not in ("0", "false") for e in children(element, "isLgl")),
    )


def _value(element: Element, name: str) -> str:
    return next((attribute(each, "val") for each in children(element, name)), "")
