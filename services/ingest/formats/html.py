"""HTML: the article of a page, without what stands round it.

A rule of its own and a careful one: a leftover menu costs a reader a second (and the classifier
knows menus), a lost paragraph is never found again. So text is left out only for what the page
itself says of it: its elements, roles and class names.
"""

import codecs
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from services.ingest.formats import beside, blocks, kinds, numbering, quotes, raised
from services.ingest.formats.blocks import Block
from services.ingest.formats.model import Content, Refused, damaged
from services.ingest.formats.numbering import BULLET_LABEL, whole
from services.ingest.formats.tables import Cell, table
from services.ingest.formats.text import one_line
from services.ingest.formats.xml import Element, local
from services.runtime import text_files

MAIN_SHARE = 0.25
"""Of the page's text that the element called its main part must hold, to be taken for it."""
NOISE_SHARE = 0.3
"""Of the article's text that a part called a menu or a footer may hold: beyond, the name
misleads."""
LINKS_SHARE = 0.8
"""Of a list's text that stands in links, from which it is navigation, on a page without an
article."""
MOST_LINKS = 4
"""Links in a list up to which it may be part of the text."""

_NEVER = frozenset(
    [
        "script",
        "style",
        "head",
        "template",
        "noscript",
        "svg",
        "math",
        "iframe",
        "object",
        "embed",
        "applet",
        "canvas",
        "audio",
        "video",
        "select",
        "option",
        "input",
        "button",
        "textarea",
        "map",
        "datalist",
        "dialog",
        "del",
        "area",
        "progress",
        "meter",
    ]
)
_NOISE = frozenset(["nav", "aside", "footer", "menu"])
_NOISE_ROLES = frozenset(
    ["navigation", "banner", "contentinfo", "search", "complementary", "menu", "alert"]
)
_NOISE_WORDS = re.compile(
    r"(?:^|[\s_-])(?:breadcrumbs?|fil-?ariane|ariane|nav|navbar|navigation|menu|sommaire-menu|cookies?"
    r"|share|sharing|partage|social|sidebar|related|newsletter|footer|skip|skiplinks?|pagination"
    r"|banner|print|comments?|advert|pub)(?=$|[\s_-])",
    re.I,
)
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "details",
        "dir",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hgroup",
        "hr",
        "html",
        "legend",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "ul",
        "caption",
        "tbody",
        "thead",
        "tfoot",
        "tr",
        "td",
        "th",
    ]
)
_OWN_LINE = frozenset(["br", "title", "option", "button", "textarea", "template"])
_CODE = frozenset(["script", "style"])
_ADDED_BY_STYLE = re.compile(r"""content\s{0,9}:\s{0,9}(["'])([^"'\n]{1,200})\1""")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.I)
_RAISED = re.compile(r"vertical-align\s*:\s*(super|sub)\b", re.I)
_APART = re.compile(
    r"display\s*:\s*(?:block|table|list-item|flex|grid)|float\s*:\s*(?:left|right)", re.I
)
_FLEX = re.compile(r"display\s*:\s*(?:inline-)?(?:flex|grid)", re.I)
"""Styles of an element that stands by itself, or whose children do."""
_LIST_STYLE = re.compile(r"list-style(?:-type)?\s*:[^;]*?(?<![\w-])([a-z][a-z-]+)", re.I)
_FORMS = numbering.BY_SIGN | {
    "lower-alpha": "lowerLetter",
    "lower-latin": "lowerLetter",
    "upper-alpha": "upperLetter",
    "upper-latin": "upperLetter",
    "lower-roman": "lowerRoman",
    "upper-roman": "upperRoman",
    "decimal-leading-zero": "decimalZero",
    "none": "none",
    "disc": "none",
    "circle": "none",
    "square": "none",
}
"""How a list is numbered, by its `type` or its style; else in figures."""
TO_THE_END = 65_534
"""Rows of a cell that spans all that follow (`rowspan="0"`)."""
_TAGS = re.compile(r"<[^<>]*>|\[(?:if|endif)[^\]\n]{0,100}\]>?")
_CHARSET = re.compile(
    rb"""<(?:meta|\?xml)[^>]{0,300}?(?:charset|encoding)\s*=\s*["']?([\w.:-]+)""", re.I
)
_SPACES = re.compile(r"[ \t\r\n\f]+")
_CODECS = re.compile(r"utf-8|cp125\d|iso8859-\d+|koi8-[rtu]|mac-\w+|gb\w+|big5|euc_\w+|shift_jis")
"""Of what Python knows as codecs, those that pages are written in: others are programs in
effect."""
_AS_WINDOWS = ("ascii", "iso8859-1", "iso8859-15")
"""Encodings that pages declare while they write the Windows one, as browsers take it."""


def read(data: bytes, *, article: bool = True, charset: str = "") -> Content:
    """The text of a page; with `article` false (a mail's body) all of it. Raises Refused."""
    page = decoded(data, charset)
    root = _parsed(page)
    lines = beside.joined(all_lines(page))
    outside = beside.joined(_beside(root, page))
    unseen = any(map(_holds_file, root.iter("*")))
    chosen, title = root, ""
    lists_too = False
    if article:
        title = _title(root)
        chosen = _chosen(root)
        lists_too = chosen is root
        _clear(chosen, lists_too)
    else:
        quotes.told(root)
    writing = _Writing()
    _write(chosen, writing)
    writing.end()
    heading = next((one_line(text) for text in _headings(chosen)), "") if article else ""
    return Content(
        text=quotes.signed(blocks.joined(writing.blocks)),
        title=heading or title,
        lines=lines,
        beside=outside,
        unseen=unseen,
    )


def all_lines(page: str) -> Iterator[str]:
    """All text of a page, the hidden and left out too, a block a line. Raises Refused."""
    line: list[str] = []
    root = _parsed(page)
    for event, element in etree.iterwalk(root, events=("start", "end")):
        name = local(element)
        if name in _BLOCKS or name in _OWN_LINE:
            yield one_line("".join(line))
            line = []
        if event == "start" and name not in _CODE:
            line.append(element.text or "")
        elif event == "end" and element is not root:
            line.append(element.tail or "")
    yield one_line("".join(line))


def _beside(root: Element, page: str) -> Iterator[str]:
    """What a page says where headings, stamps and properties stand: in its header and footer, in
    hidden elements, comments, attributes, and in what a style sheet adds."""
    waiting = [root]
    while waiting:
        element = waiting.pop()
        name = local(element)
        if name in ("header", "footer", "title", "caption") or _hidden(element):
            yield from (one_line(text) for text in element.itertext())
            yield one_line("".join(element.itertext()))
            continue
        waiting += element
        if name == "meta":
            yield from beside.of_property(element.get("content", ""))
        elif name == "style":
            yield from (found[2] for found in _ADDED_BY_STYLE.finditer(element.text or ""))
        elif name in ("input", "button", "option"):
            yield element.get("value", "")
    yield from beside.attributes(root)
    for element in root.iter("*"):
        if page_within := element.get("srcdoc"):
            yield _TAGS.sub("\n", page_within)
    yield from _comments(page)


def _comments(page: str) -> Iterator[str]:
    """The comments of a page; also as the page that Outlook makes of them (`<!--[if mso]>`)."""
    at = page.find("<!--")
    while at >= 0:
        end = page.find("-->", at + 4)
        comment = page[at + 4 : end if end >= 0 else len(page)]
        yield comment
        if "<" in comment or "[" in comment:
            yield _TAGS.sub("\n", comment)
        at = page.find("<!--", end) if end >= 0 else -1


def _holds_file(element: Element) -> bool:
    """Whether an attribute holds a page or a file, other than a picture."""
    for name, value in element.attrib.items():
        if name == "srcdoc":
            return True
        if value[:40].lstrip().lower().startswith("data:"):
            head, _, data = value.partition(",")
            if not head.lower().endswith(";base64"):
                return True
            try:
                if not kinds.is_picture(b64decode(data)):
                    return True
            except ValueError:
                return True
    return False


def decoded(data: bytes, charset: str = "") -> str:
    """The characters of a page or a mail: by its mark, by what it declares, by what it can be.

    Raises Refused where they are no text.
    """
    found = _CHARSET.search(data[:4096])
    declared = charset or (found[1].decode("ascii") if found else "")
    encodings = ["utf-8-sig", _codec(declared), "cp1252", "latin-1"]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif _codec(declared) not in ("", "utf-8", "cp1252"):
        encodings = [_codec(declared), *encodings]
    for encoding in filter(None, encodings):
        try:
            text = data.decode(encoding)
        except (UnicodeError, LookupError):
            continue
        readable = text_files.readable(text)
        if readable is None:
            break
        return readable
    raise Refused(422, "Le fichier n'est pas un texte lisible : l'enregistrer en UTF-8.")


def is_of_pages(charset: str) -> bool:
    """Whether pages and mails are written in that encoding, so that it is read as what it is."""
    return charset.lower().startswith(("utf-16", "utf-32")) or _codec(charset) != ""


def _codec(declared: str) -> str:
    """The codec's name, empty where it is unknown or of no page; UTF-16 is told by its mark."""
    try:
        name = codecs.lookup(declared).name if declared else ""
    except (LookupError, ValueError):
        return ""
    if name in _AS_WINDOWS:
        return "cp1252"
    return name if _CODECS.fullmatch(name) else ""


def _parsed(text: str) -> Element:
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except (etree.LxmlError, ValueError) as error:
        raise damaged("HTML") from error
    if root is None:
        raise Refused(422, "Le fichier ne contient pas de texte.")
    if any("depth" in entry.message for entry in parser.error_log):
        raise Refused(422, "La page est trop imbriquée : enregistrer son texte seul.")
    return root


def _chosen(root: Element) -> Element:
    """The element that holds the article: the page's main part, its article, or else all of it."""
    whole = _length(root)
    main = [e for e in root.iter("*") if local(e) == "main" or e.get("role") == "main"]
    longest = max(main, key=_length, default=root)
    if main and _length(longest) >= MAIN_SHARE * whole:
        within = [e for e in longest.iter("article") if _length(e) > _length(longest) / 2]
        return within[0] if within else longest
    articles = list(root.iter("article"))
    if articles:
        longest = max(articles, key=_length)
        if _length(longest) >= max(MAIN_SHARE * whole, sum(map(_length, articles)) / 2):
            return longest
    return root


def _clear(chosen: Element, lists_too: bool) -> None:
    """Take out of an article what the page calls something else."""
    whole = max(_length(chosen), 1)
    for element in list(chosen.iter("*")):
        if element is chosen or element.getparent() is None or local(element) in ("html", "body"):
            continue
        noise = _is_noise(element, lists_too) and _length(element) <= NOISE_SHARE * whole
        if noise or (lists_too and _is_link_list(element)):
            _remove(element)


def _is_noise(element: Element, whole_page: bool) -> bool:
    name = local(element)
    if name in _NOISE or element.get("role", "") in _NOISE_ROLES:
        return True
    if name == "header" and whole_page:
        return not any(True for _ in element.iter("h1"))
    if name in ("p", "span", "a", "b", "i", "em", "strong", "td", "tr", "h1"):
        return False
    return bool(_NOISE_WORDS.search(f"{element.get('class', '')} {element.get('id', '')}"))


def _is_link_list(element: Element) -> bool:
    if local(element) not in ("ul", "ol"):
        return False
    links = list(element.iter("a"))
    inside = sum(map(_length, links))
    return len(links) > MOST_LINKS and inside > LINKS_SHARE * max(_length(element), 1)


def _remove(element: Element) -> None:
    parent = element.getparent()
    tail = element.tail
    if tail and tail.strip():
        before = element.getprevious()
        if before is None:
            parent.text = f"{parent.text or ''} {tail}"
        else:
            before.tail = f"{before.tail or ''} {tail}"
    parent.remove(element)


def _length(element: Element) -> int:
    """Characters of text in an element, scripts and the like apart."""
    total = 0
    for part in element.iter("*"):
        if local(part) not in _NEVER:
            total += len((part.text or "").strip())
        if part is not element:
            total += len((part.tail or "").strip())
    return total


def _title(root: Element) -> str:
    for element in root.iter("title"):
        return one_line("".join(element.itertext())).partition(" | ")[0]
    return ""


def _headings(chosen: Element) -> Iterator[str]:
    for element in chosen.iter("h1"):
        text = blocks.joined(_blocks_in(element))
        if text:
            yield text


@dataclass
class _Writing:
    """What is written so far; `label`: of the list's item in hand, until its text is written;
    `numbers`: of the list in hand."""

    blocks: list[Block] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    item: bool = False
    label: str = ""
    numbers: "_Numbers | None" = None

    def end(self) -> None:
        """The paragraph in hand is done."""
        text = raised.plain("".join(self.parts))
        self.parts = []
        if not text.strip():
            return
        if self.label and self.label != BULLET_LABEL and not self.item:
            text = f"{self.label} {text.lstrip()}"
        self.blocks.append(Block(text, item=self.item, label=self.label))
        self.label = ""


@dataclass
class _Numbers:
    """The numbers of a list's items: how they are written, the next one, the step to it."""

    form: str
    next: int
    step: int

    def label(self, item: Element) -> str:
        """The label of the list's next item."""
        number = whole(item.get("value"), self.next)
        self.next = number + self.step
        form = _form(item) or self.form
        return f"{numbering.written(number, form)}." if form != numbering.NONE else BULLET_LABEL


def _numbers(element: Element) -> _Numbers | None:
    """How a list is numbered; None for one that is not."""
    if local(element) != "ol":
        return None
    backwards = element.get("reversed") is not None
    items = sum(local(each) == "li" for each in element) if backwards else 1
    step = -1 if backwards else 1
    return _Numbers(_form(element) or numbering.DECIMAL, whole(element.get("start"), items), step)


def _form(element: Element) -> str:
    """The form of a list's numbers that an element asks for; empty where it asks for none."""
    style = _LIST_STYLE.search(element.get("style", ""))
    asked = style[1].lower() if style else element.get("type", "")
    return _FORMS.get(asked, "")


def _height(element: Element) -> str:
    """The mark before what an element raises or lowers; empty for all others."""
    style = _RAISED.search(element.get("style", ""))
    said = style[1].lower() if style else local(element)
    return {"super": raised.UP, "sup": raised.UP, "sub": raised.DOWN}.get(said, "")


def _write(element: Element, writing: _Writing, *, pre: bool = False) -> None:
    name = local(element)
    if name in _NEVER or _hidden(element):
        return
    if name == "br":
        writing.parts.append("\n")
        return
    if name == "table":
        writing.end()
        writing.blocks += table(list(_rows(element)))
    elif name in _BLOCKS or _is_apart(element):
        _write_block(element, writing, pre=pre or name == "pre")
    else:
        height = _height(element)
        writing.parts.append(height)
        _write_within(element, writing, pre=pre)
        writing.parts.append(raised.END if height else "")


def _is_apart(element: Element) -> bool:
    """Whether an element within a line stands by itself, by its own style or its parent's."""
    style, parent = element.get("style", ""), element.getparent()
    above = parent.get("style", "") if parent is not None else ""
    return _APART.search(style) is not None or _FLEX.search(above) is not None


def _write_block(element: Element, writing: _Writing, *, pre: bool) -> None:
    name = local(element)
    writing.end()
    was_item, was_label, numbers = writing.item, writing.label, writing.numbers
    writing.item = name == "li" or (was_item and name in ("p", "div", "span"))
    if name in ("ol", "ul", "menu", "dir"):
        writing.numbers = _numbers(element)
    elif name == "li":
        writing.label = numbers.label(element) if numbers else BULLET_LABEL
    _write_within(element, writing, pre=pre)
    writing.end()
    if name == "li":
        writing.label = was_label
    writing.item, writing.numbers = was_item, numbers


def _write_within(element: Element, writing: _Writing, *, pre: bool) -> None:
    _say(element.text, writing, pre)
    for child in element:
        _write(child, writing, pre=pre)
        _say(child.tail, writing, pre)


def _say(text: str | None, writing: _Writing, pre: bool) -> None:
    if text:
        writing.parts.append(text if pre else _SPACES.sub(" ", text))


def _rows(element: Element) -> Iterator[list[Cell]]:
    for each in element:
        name = local(each)
        if name == "tr":
            yield [_cell(cell) for cell in each if local(cell) in ("td", "th")]
        elif name in ("tbody", "thead", "tfoot"):
            yield from _rows(each)
        elif name == "caption":
            yield [_cell(each)]


def _cell(cell: Element) -> Cell:
    down = whole(cell.get("rowspan"), 1)
    return Cell(
        _blocks_in(cell),
        across=whole(cell.get("colspan"), 1),
        down=TO_THE_END if down == 0 else max(down, 1),
    )


def _blocks_in(element: Element) -> list[Block]:
    writing = _Writing()
    _write(element, writing)
    writing.end()
    return writing.blocks


def _hidden(element: Element) -> bool:
    return (
        element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or bool(_HIDDEN_STYLE.search(element.get("style", "")))
    )
