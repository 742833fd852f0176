"""The numbers of lists and headings are those that the word processor or the browser shows."""

import pytest

from services.ingest.formats import Document, extract
from services.ingest.formats.numbering import Counter, Level, written
from tests.ingest.formats.making import W, docx, odt, paragraphs


def _body(data: bytes, name: str) -> str:
    (found,) = extract(data, name)
    assert isinstance(found, Document), found
    return found.body


def _p(text: str, number: str = "", level: int = 0, style: str = "") -> str:
    properties = f'<w:pStyle w:val="{style}"/>' if style else ""
    if number:
        properties += f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def _level(depth: int, form: str, text: str, more: str = "", start: int = 1) -> str:
    return (
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="{start}"/><w:numFmt w:val="{form}"/>{more}'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
    )


NUMBERING = (
    f'<w:numbering xmlns:w="{W}">'
    '<w:abstractNum w:abstractNumId="0">'
    + _level(0, "decimal", "%1.")
    + _level(1, "lowerLetter", "%2)")
    + _level(2, "lowerRoman", "%3.")
    + '</w:abstractNum><w:abstractNum w:abstractNumId="1">'
    + _level(0, "decimal", "%1", '<w:pStyle w:val="Titre1"/>')
    + _level(1, "decimal", "%1.%2.", '<w:pStyle w:val="Titre2"/>')
    + '</w:abstractNum><w:abstractNum w:abstractNumId="2">'
    + _level(0, "bullet", "\uf0b7")
    + '</w:abstractNum><w:abstractNum w:abstractNumId="3">'
    + _level(0, "upperRoman", "Partie %1 –", start=3)
    + _level(1, "decimal", "%1.%2", "<w:isLgl/>")
    + '</w:abstractNum><w:abstractNum w:abstractNumId="4"><w:numStyleLink w:val="Liste"/>'
    "</w:abstractNum>"
    + "".join(
        f'<w:num w:numId="{n}"><w:abstractNumId w:val="{a}"/>{more}</w:num>'
        for n, a, more in (
            (1, 0, ""),
            (2, 0, '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride>'),
            (3, 1, ""),
            (4, 2, ""),
            (5, 3, ""),
            (6, 4, ""),
            (7, 0, f'<w:lvlOverride w:ilvl="0">{_level(0, "upperLetter", "%1)")}</w:lvlOverride>'),
            (8, 0, ""),
        )
    )
    + "</w:numbering>"
)
STYLES = (
    f'<w:styles xmlns:w="{W}">'
    '<w:style w:type="paragraph" w:styleId="Titre1"><w:name w:val="heading 1"/><w:pPr><w:numPr>'
    '<w:numId w:val="3"/></w:numPr></w:pPr></w:style>'
    '<w:style w:type="paragraph" w:styleId="Titre2"><w:name w:val="heading 2"/><w:pPr><w:numPr>'
    '<w:ilvl w:val="1"/><w:numId w:val="3"/></w:numPr></w:pPr></w:style>'
    '<w:style w:type="paragraph" w:styleId="Alinea"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr>'
    '</w:pPr></w:style><w:style w:type="paragraph" w:styleId="Sous"><w:basedOn w:val="Alinea"/>'
    '</w:style><w:style w:type="numbering" w:styleId="Liste"><w:pPr><w:numPr><w:numId w:val="5"/>'
    "</w:numPr></w:pPr></w:style></w:styles>"
)


def _docx(body: str) -> str:
    data = docx(
        paragraphs("Titre") + body,
        **{"word__numbering.xml": NUMBERING, "word__styles.xml": STYLES},
    )
    return _body(data, "note.docx")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (_p("un", "1") + _p("deux", "1") + _p("trois", "1"), "1. un\n2. deux\n3. trois"),
        (
            _p("un", "1") + _p("a", "1", 1) + _p("b", "1", 1) + _p("deux", "1") + _p("c", "1", 1),
            "1. un\na) a\nb) b\n2. deux\na) c",
        ),
        (_p("un", "1") + _p("x", "1", 2) + _p("y", "1", 2), "1. un\ni. x\nii. y"),
        (
            _p("un", "1") + paragraphs("Entre les deux.") + _p("deux", "1"),
            "1. un\n\nEntre les deux.\n\n2. deux",
        ),
        (_p("un", "1") + _p("deux", "8"), "1. un\n2. deux"),
        (
            _p("un", "1") + _p("deux", "1") + _p("autre", "2") + _p("suite", "2"),
            "1. un\n2. deux\n1. autre\n2. suite",
        ),
        (
            _p("Contexte", style="Titre1")
            + _p("Droit", style="Titre2")
            + _p("Fait", style="Titre2")
            + _p("Suites", style="Titre1")
            + _p("Avis", style="Titre2"),
            "1 Contexte\n\n1.1. Droit\n\n1.2. Fait\n\n2 Suites\n\n2.1. Avis",
        ),
        (_p("point", "4") + _p("virgule", "4"), "- point\n- virgule"),
        (
            _p("un", "5") + _p("a", "5", 1) + _p("deux", "5"),
            "Partie III – un\n3.1 a\nPartie IV – deux",
        ),
        (_p("un", "6") + _p("deux", "6"), "Partie III – un\nPartie IV – deux"),
        (_p("un", "7") + _p("deux", "7"), "A) un\nB) deux"),
        (_p("un", style="Alinea") + _p("deux", style="Sous"), "1. un\n2. deux"),
        (_p("nu", "0", style="Alinea") + _p("un", style="Alinea"), "nu\n\n1. un"),
        (_p("inconnu", "99"), "- inconnu"),
    ],
)
def test_the_numbers_of_word(body: str, text: str) -> None:
    assert _docx(body) == text


def test_a_deleted_item_is_not_counted() -> None:
    gone = (
        '<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr><w:rPr><w:del/>'
        "</w:rPr></w:pPr><w:del><w:r><w:delText>ancien</w:delText></w:r></w:del></w:p>"
    )
    assert _docx(_p("un", "1") + gone + _p("deux", "1")) == "1. un\n2. deux"


_STYLE = "urn:oasis:names:tc:opendocument:xmlns:style:1.0"
_ODT_STYLES = (
    '<office:document-styles xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    f'xmlns:style="{_STYLE}" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">'
    '<office:styles><text:outline-style style:name="Outline">'
    '<text:outline-level-style text:level="1" style:num-format="I" style:num-suffix="."/>'
    '<text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/>'
    '</text:outline-style><text:list-style style:name="L1">'
    '<text:list-level-style-number text:level="1" style:num-format="1" style:num-suffix="."/>'
    '<text:list-level-style-number text:level="2" style:num-format="a" style:num-suffix=")"/>'
    '<text:list-level-style-number text:level="3" style:num-format="1" text:display-levels="3"/>'
    '</text:list-style><text:list-style style:name="L2">'
    '<text:list-level-style-bullet text:level="1" text:bullet-char="•"/></text:list-style>'
    '<text:list-style style:name="L3"><text:list-level-style-number text:level="1" '
    'style:num-prefix="(" style:num-format="i" style:num-suffix=")" text:start-value="4"/>'
    "</text:list-style></office:styles></office:document-styles>"
)


def _list(*items: str, style: str = "L1", more: str = "") -> str:
    inside = "".join(f"<text:list-item>{item}</text:list-item>" for item in items)
    named = f' text:style-name="{style}"' if style else ""
    return f"<text:list{named} {more}>{inside}</text:list>"


_GOES_ON = 'text:continue-numbering="true"'


def _t(text: str) -> str:
    return f"<text:p>{text}</text:p>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (_list(_t("un"), _t("deux")), "1. un\n2. deux"),
        (
            _list(_t("un") + _list(_t("x"), _t("y"), style=""), _t("deux")),
            "1. un\na) x\nb) y\n2. deux",
        ),
        (
            _list(_t("un") + _list(_t("x") + _list(_t("fin"), style=""), style="")),
            "1. un\na) x\n1.a.1 fin",
        ),
        (_list(_t("point"), style="L2"), "- point"),
        (_list(_t("a"), _t("b"), style="L3"), "(iv) a\n(v) b"),
        (_list(_t("un")) + _list(_t("un")), "1. un\n1. un"),
        (
            _list(_t("un"))
            + _t("Entre.")
            + _list(_t("deux"), more='text:continue-numbering="true"'),
            "1. un\n\nEntre.\n\n2. deux",
        ),
        (
            _list(_t("un"), more='xml:id="a"')
            + _list(_t("autre"), style="L3")
            + _list(_t("deux"), more='text:continue-list="a"'),
            "1. un\n(iv) autre\n2. deux",
        ),
        (_list(_t("un") + _t("suite"), _t("deux")), "1. un\nsuite\n2. deux"),
        (
            '<text:h text:outline-level="1">Contexte</text:h>'
            '<text:h text:outline-level="2">Droit</text:h>'
            '<text:h text:outline-level="1">Suites</text:h>',
            "I. Contexte\n\nI.1 Droit\n\nII. Suites",
        ),
    ],
)
def test_the_numbers_of_an_odt(body: str, text: str) -> None:
    assert _body(odt(_t("Titre") + body, **{"styles.xml": _ODT_STYLES}), "note.odt") == text


def test_an_item_of_an_odt_may_have_its_own_number() -> None:
    items = (
        '<text:list-item text:start-value="5"><text:p>cinq</text:p></text:list-item>'
        "<text:list-item><text:p>six</text:p></text:list-item>"
        "<text:list-header><text:p>sans</text:p></text:list-header>"
    )
    body = f'{_t("Titre")}<text:list text:style-name="L1">{items}</text:list>'
    assert _body(odt(body, **{"styles.xml": _ODT_STYLES}), "n.odt") == "5. cinq\n6. six\nsans"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<ol><li>un<li>deux<li>trois</ol>", "1. un\n2. deux\n3. trois"),
        ("<ol start=4 type=a><li>d<li>e</ol>", "d. d\ne. e"),
        ("<ol type=I><li>un<li value=9>neuf<li>dix</ol>", "I. un\nIX. neuf\nX. dix"),
        ("<ol reversed><li>trois<li>deux<li>un</ol>", "3. trois\n2. deux\n1. un"),
        ("<ol reversed start=10><li>dix<li>neuf</ol>", "10. dix\n9. neuf"),
        (
            "<ol><li>un<ol style='list-style-type: lower-alpha'><li>x<li>y</ol><li>deux</ol>",
            "1. un\na. x\nb. y\n2. deux",
        ),
        ("<ol><li>un<ul><li>puce</ul>reste<li>deux</ol>", "1. un\n- puce\nreste\n2. deux"),
        ("<ol><li><p>un</p><p>suite</p><li><p>deux</p></ol>", "1. un\nsuite\n2. deux"),
        ("<ol><li><h3>Contexte</h3><p>Texte.</p></ol>", "1. Contexte\n\nTexte."),
        ("<ol style='list-style:none'><li>un<li>deux</ol>", "- un\n- deux"),
        ("<ol start=x><li>un</ol>", "1. un"),
        ("<ul><li>un<li>deux</ul>", "- un\n- deux"),
    ],
)
def test_the_numbers_of_a_page(page: str, text: str) -> None:
    assert _body(f"<h1>Titre</h1>{page}".encode(), "page.html") == text


@pytest.mark.parametrize(
    ("number", "form", "text"),
    [
        (4, "lowerRoman", "iv"),
        (1999, "upperRoman", "MCMXCIX"),
        (27, "lowerLetter", "aa"),
        (28, "upperLetter", "BB"),
        (0, "lowerLetter", "0"),
        (-3, "lowerRoman", "-3"),
        (10**9, "upperLetter", str(10**9)),
        (7, "decimalZero", "07"),
        (5, "unknown", "5"),
    ],
)
def test_a_number_is_written_in_its_form(number: int, form: str, text: str) -> None:
    assert written(number, form) == text


def test_a_level_begins_again_after_the_one_above_it() -> None:
    levels = [Level(text="%1."), Level(text="%1.%2"), Level(text="%3)", restart=0)]
    counter = Counter()
    labels = [counter.next(levels, depth) for depth in (0, 1, 2, 1, 2, 0, 1, 2)]
    assert labels == ["1.", "1.1", "1)", "1.2", "2)", "2.", "2.1", "3)"]
