"""Quoted messages in the page of a mail, told as such in its text.

Mail programs say by elements and classes what a page shows by a line or an indent: the text gets
what a plain mail would have, `> ` before quoted lines, and a separator over a message that is
appended whole.
"""

import re
from collections.abc import Iterator

from lxml import etree

from services.ingest.formats.xml import Element, local

SEPARATOR = "-----Message d'origine-----"
_BEGIN, _END = "\ue0b1\ue0b1\ue0b1", "\ue0b2\ue0b2\ue0b2"
"""Lines, for private use, between which a text is quoted until `signed` writes it as such."""
_QUOTING = re.compile(r"(?:^|\s)(?:\w+_quote|moz-\w*quote\w*)", re.I)
_APPENDED = frozenset(["divRplyFwdMsg", "appendonsend", "OLK_SRC_BODY_SECTION", "reply-intro"])
_APPENDED_CLASS = re.compile(r"(?:^|\s)(?:OutlookMessageHeader|yahoo_quoted|hmquote)", re.I)
_RULED = re.compile(r"border-top\s*:\s*(?!none|0)[^;]*\bsolid\b", re.I)
_SENDER = re.compile(r"\s*(?:De|From|Von|Da|Van|Fra|Från)\s?:", re.I)
_SEPARATED = re.compile(r"-{3,}\s*[^\W\d_][^\n-]{5,60}-{3,}\s*$")
_FIRST = 400
"""Characters of an element in which the first header of a message is looked for."""


def told(root: Element) -> None:
    """Put into a mail's page the lines that say where a quoted message begins and ends."""
    for element in list(root.iter("*")):
        if element.getparent() is None:
            continue
        if _is_quoted(element):
            _line(element, _BEGIN, before=True)
            _line(element, _END, before=False)
        elif _is_appended(element) and not _is_separated(element):
            _line(element, SEPARATOR, before=True)


def signed(text: str) -> str:
    """Return the text with `> ` before each quoted line."""
    if _BEGIN not in text:
        return text.replace(_END, "")
    lines: list[str] = []
    depth, empty = 0, False
    for line in text.split("\n"):
        plain = line.strip()
        if plain in (_BEGIN, _END):
            depth = max(0, depth + (1 if plain == _BEGIN else -1))
            empty = True
        elif not plain:
            empty = True
        else:
            signs = ">" * depth
            if empty and lines:  # between two paragraphs of a quotation as well
                within = min(depth, len(lines[-1]) - len(lines[-1].lstrip(">")))
                lines.append(">" * within)
            lines.append(f"{signs} {line}" if depth else line)
            empty = False
    return "\n".join(lines)


def _is_quoted(element: Element) -> bool:
    """Whether an element is a quotation of another message, and not of a law."""
    if local(element) != "blockquote":
        return False
    return element.get("type", "").lower() == "cite" or bool(
        _QUOTING.search(f"{element.get('class', '')} {element.get('id', '')}")
    )


def _is_appended(element: Element) -> bool:
    """Whether an element begins with the headers of a message that is appended whole."""
    if element.get("id", "").removeprefix("x_") in _APPENDED:
        return bool(_SENDER.match(_first_words(element)))
    if _APPENDED_CLASS.search(element.get("class", "")):
        return bool(_SENDER.match(_first_words(element)))
    ruled = local(element) in ("div", "p") and _RULED.search(element.get("style", ""))
    return bool(ruled and _SENDER.match(_first_words(element)))


def _is_separated(element: Element) -> bool:
    """Whether a separator stands before it already, within the element or as its own line."""
    before = element.getprevious()
    said = element.getparent().text if before is None else before.tail or _all_words(before)
    return bool(said and _SEPARATED.search(said[-_FIRST:]))


def _first_words(element: Element) -> str:
    words = ""
    for text in element.itertext():
        words = f"{words}{text}".lstrip()
        if len(words) >= _FIRST:
            break
    return words


def _all_words(element: Element) -> str:
    return "".join(_last(element))


def _last(element: Element) -> Iterator[str]:
    # A long element before is no separator.
    length = 0
    for text in element.itertext():
        length += len(text)
        if length > _FIRST:
            return
        yield text


def _line(element: Element, text: str, *, before: bool) -> None:
    """A paragraph of that text before or after an element, whose tail stays behind it."""
    line = etree.Element("div")
    line.text = text
    if before:
        element.addprevious(line)
    else:
        tail, element.tail = element.tail, None
        element.addnext(line)
        line.tail = tail
