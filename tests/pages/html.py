"""A page taken apart: strict about nesting, ids, labels, headings, and what it loads."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

VOID = {"meta", "link", "input", "img", "br", "hr"}
HEADINGS = {"h1", "h2", "h3", "h4"}


@dataclass
class Element:
    """One element: its name, attributes, ancestors, and text with that of what it holds.

    `plain` is the text without what stands in superscript, names a mark or is not seen.
    """

    name: str
    attributes: dict[str, str]
    inside: tuple[str, ...]
    text: str = ""
    plain: str = ""

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    @property
    def classes(self) -> set[str]:
        return set(self.attributes.get("class", "").split())


@dataclass
class Page(HTMLParser):
    """The page as elements in order; `read` fails where it is not well-formed."""

    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"twice the same attribute: <{tag} {names}>"
        inside = tuple(one.name for one in self._open)
        element = Element(tag, {name: value or "" for name, value in attrs}, inside)
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].name == tag, f"</{tag}> closes <{self._open[-1].name}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data
            added = {"mention", "unseen"}
            if not any(one.name == "sup" or added & one.classes for one in self._open):
                element.plain += data

    def all(self, name: str, *classes: str) -> list[Element]:
        """The elements of that name that have these classes."""
        return [one for one in self.elements if one.name == name and set(classes) <= one.classes]

    def one(self, name: str, *classes: str) -> Element:
        """The only such element."""
        (found,) = self.all(name, *classes)
        return found

    def by_id(self, name: str) -> Element:
        """The element with this id."""
        (found,) = [one for one in self.elements if one.attributes.get("id") == name]
        return found


def read(text: str) -> Page:
    """The page, found well-formed."""
    page = Page()
    page.feed(text)
    page.close()
    assert not page._open, f"left open: {[one.name for one in page._open]}"
    return page


def check(page: Page) -> None:
    """What every page of ours promises to those who use it without a mouse, or without sight."""
    html = page.one("html")
    assert html["lang"] == "fr"
    assert page.one("title").text.strip()
    assert page.one("main")
    assert page.one("header", "banner")
    assert page.all("nav")
    ids = [one["id"] for one in page.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids)), "an id stands twice"
    skip = page.one("a", "skip")
    assert skip["href"].removeprefix("#") in ids
    _check_headings(page)
    _check_labels(page, ids)
    _check_links(page, ids)
    assert not page.all("script")
    assert not page.all("style")
    for element in page.elements:
        inline = [name for name in element.attributes if name.startswith("on") or name == "style"]
        assert not inline, f"<{element.name}> has {inline}"


def _check_headings(page: Page) -> None:
    levels = [int(one.name[1]) for one in page.elements if one.name in HEADINGS]
    assert levels.count(1) == 1
    assert levels[0] == 1
    for before, after in pairwise(levels):
        assert after <= before + 1, f"a heading is skipped: {levels}"
    assert all(one.text.strip() for one in page.elements if one.name in HEADINGS)


def _check_labels(page: Page, ids: list[str]) -> None:
    labelled = {one.attributes.get("for") for one in page.all("label")}
    for one in [*page.all("input"), *page.all("select")]:
        if one.attributes.get("type") == "hidden":
            continue
        assert "label" in one.inside or one.attributes.get("id") in labelled
    for one in page.elements:
        for name in ("aria-labelledby", "aria-describedby"):
            assert set(one.attributes.get(name, "").split()) <= set(ids)
    assert all("alt" in one.attributes for one in page.all("img"))


def _check_links(page: Page, ids: list[str]) -> None:
    for one in page.elements:
        for name in ("href", "src", "action"):
            target = one.attributes.get(name)
            if target is None:
                continue
            assert target.startswith(("/", "#")), f"leads elsewhere: {target}"
            assert not target.startswith("//")
            if target.startswith("#"):
                assert target.removeprefix("#") in ids, f"leads nowhere: {target}"
    assert all(one.text.strip() or one.attributes.get("aria-label") for one in page.all("a"))
