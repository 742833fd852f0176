"""What stands raised or lowered never makes a figure another one, in any format."""

import re

import pytest

from services.ingest.formats import Document, extract
from services.ingest.formats.raised import DOWN, END, UP, plain
from tests.ingest.formats.making import W, docx, odt, pdf_of, stream

RAISED = [
    ("6,1^1^ % en 2026^2^.", "6,1 [1] % en 2026 [2]."),
    ("un taux de 11,2^3^ puis 10,6", "un taux de 11,2 [3] puis 10,6"),
    ("2,3 millions^12^ de retraités", "2,3 millions [12] de retraités"),
    ("en 2025^(4)^, dit-on", "en 2025 [4], dit-on"),
    ("en 2024^1,2^ et 2025^5-7^", "en 2024 [1] [2] et 2025 [5-7]"),
    ("le chiffre^[8]^ suit", "le chiffre [8] suit"),
    ("^1^ Source : INPS.", "[1] Source : INPS."),
    ("^2^Source : ISTAT.", "[2] Source : ISTAT."),
    ("10^6^ habitants", "10^6 habitants"),
    ("3,2 × 10^9^ euros", "3,2 × 10^9 euros"),
    ("10^-3^ par an", "10^-3 par an"),
    ("le 1^er^ mars, la 2^e^ loi, le XX^e^ siècle", "le 1er mars, la 2e loi, le XXe siècle"),
    ("M^me^ la ministre, n^o^ 12, D^r^ Rossi", "Mme la ministre, no 12, Dr Rossi"),
    ("la 1^re^ et la 3^ème^ fois", "la 1re et la 3ème fois"),
    ("25 m^2^ et 40 km^2^, 3 m^3^", "25 m² et 40 km², 3 m³"),
    ("4,2^a^ et 5^bis^", "4,2 [a] et 5 bis"),
    ("CO_2_ et H_2_O", "CO2 et H2O"),
    ("base 10_2_", "base 10_2"),
    ("6,1^*^ %", "6,1* %"),
    ("6,1¹ % en 2026², 10⁶ et 3 m²", "6,1 [1] % en 2026 [2], 10^6 et 3 m²"),
    ("SO_4_^2-^ et 9,8 m/s^2^", "SO4 2- et 9,8 m/s²"),
    ("120 Mm^3^ à 3 €/m^2^", "120 Mm³ à 3 €/m²"),
    (
        "un mot ^et une longue phrase mise plus haut^ ici",
        "un mot et une longue phrase mise plus haut ici",
    ),
]


def _parted(text: str) -> list[tuple[str, str]]:
    """The pieces of a text with how each stands: `^`, `_` or not at all."""
    pieces: list[tuple[str, str]] = []
    sign = ""
    for each in re.split(r"([\^_])", text):
        if each in ("^", "_"):
            sign = "" if sign else each
        elif each:
            pieces.append((sign, each))
    return pieces


def _one(data: bytes, name: str) -> Document:
    (found,) = extract(data, name)
    assert isinstance(found, Document), found
    return found


def _in_html(pieces: list[tuple[str, str]]) -> bytes:
    tags = {"^": "<sup>{}</sup>", "_": "<sub>{}</sub>", "": "{}"}
    return f"<p>{''.join(tags[sign].format(text) for sign, text in pieces)}</p>".encode()


def _in_html_by_style(pieces: list[tuple[str, str]]) -> bytes:
    styles = {"^": "vertical-align: super", "_": "vertical-align:sub", "": ""}
    inside = (f"<span style='{styles[sign]}'>{text}</span>" for sign, text in pieces)
    return f"<p>{''.join(inside)}</p>".encode()


def _in_docx(pieces: list[tuple[str, str]]) -> bytes:
    aligned = {"^": "superscript", "_": "subscript", "": "baseline"}
    return docx(
        "<w:p>"
        + "".join(
            f'<w:r><w:rPr><w:vertAlign w:val="{aligned[sign]}"/></w:rPr>'
            f'<w:t xml:space="preserve">{text}</w:t></w:r>'
            for sign, text in pieces
        )
        + "</w:p>"
    )


def _in_docx_by_style(pieces: list[tuple[str, str]]) -> bytes:
    styles = (
        f'<w:styles xmlns:w="{W}"><w:style w:type="character" w:styleId="Up"><w:rPr>'
        '<w:vertAlign w:val="superscript"/></w:rPr></w:style><w:style w:type="character" '
        'w:styleId="Note"><w:basedOn w:val="Up"/></w:style><w:style w:type="character" '
        'w:styleId="Down"><w:rPr><w:position w:val="-6"/></w:rPr></w:style></w:styles>'
    )
    named = {"^": "Note", "_": "Down", "": "Plain"}
    return docx(
        "<w:p>"
        + "".join(
            f'<w:r><w:rPr><w:rStyle w:val="{named[sign]}"/></w:rPr>'
            f'<w:t xml:space="preserve">{text}</w:t></w:r>'
            for sign, text in pieces
        )
        + "</w:p>",
        **{"word__styles.xml": styles},
    )


def _in_odt(pieces: list[tuple[str, str]]) -> bytes:
    names = (
        'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"'
    )
    styles = (
        f"<office:document-styles {names}><office:styles>"
        '<style:style style:name="Up"><style:text-properties style:text-position="super 58%"/>'
        '</style:style><style:style style:name="T1" style:parent-style-name="Up"/>'
        '<style:style style:name="T2"><style:text-properties style:text-position="-33% 58%"/>'
        '</style:style><style:style style:name="T3"><style:text-properties '
        'style:text-position="0% 100%"/></style:style></office:styles></office:document-styles>'
    )
    named = {"^": "T1", "_": "T2", "": "T3"}
    inside = "".join(
        f'<text:span text:style-name="{named[sign]}">{text}</text:span>' for sign, text in pieces
    )
    return odt(f"<text:p>{inside}</text:p>", **{"styles.xml": styles})


WRITERS = {
    "a.html": _in_html,
    "b.html": _in_html_by_style,
    "a.docx": _in_docx,
    "b.docx": _in_docx_by_style,
    "a.odt": _in_odt,
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(("written", "expected"), RAISED)
def test_raised_signs_are_written_by_what_stands_before(
    name: str, written: str, expected: str
) -> None:
    assert _one(WRITERS[name](_parted(written)), name).body == expected


@pytest.mark.parametrize(
    "text", ["Un texte sans rien : 6,1 % en 2026.", "a^b, x_1, 10^6, [1]", "25 m² et 3 km³", ""]
)
def test_a_text_without_raised_signs_does_not_change(text: str) -> None:
    assert plain(text) == text


def test_a_call_of_two_runs_is_one() -> None:
    assert plain(f"fin{UP}1{END}{UP}2{END}.") == "fin [12]."


def test_marks_that_do_not_match_leave_nothing() -> None:
    assert plain(f"a{END}b{UP}c{DOWN}2") == "abc2"


def test_a_raised_sign_in_a_title_is_the_same_in_subject_and_body() -> None:
    found = _one(b"<h1>Taux de 6,1<sup>1</sup></h1><p>Texte du corps.</p>", "a.html")
    assert (found.subject, found.body) == ("Taux de 6,1 [1]", "Texte du corps.")


def _pdf(*pieces: tuple[float, float, float, str]) -> bytes:
    """A PDF of pieces of text: x, y, size."""
    drawn = b"BT " + b"".join(
        b"/F1 %.1f Tf 1 0 0 1 %.1f %.1f Tm (%s) Tj " % (size, x, y, text.encode("cp1252"))
        for x, y, size, text in pieces
    )
    return pdf_of(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[4 0 R]/Count 1>>",
            b"<</Type/Font/Subtype/Type1/BaseFont/Courier/Encoding/WinAnsiEncoding>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 5 0 R"
            b"/Resources<</Font<</F1 3 0 R>>>>>>",
            stream(drawn + b"ET"),
        ]
    )


def test_small_raised_figures_of_a_pdf_are_calls() -> None:
    # Courier: 0.6 of its size a sign.
    data = _pdf(
        (72, 700, 10, "Le taux est de 6,1"),
        (180, 704, 6, "1"),
        (183.6, 700, 10, " % en 2026"),
        (243.6, 704, 6, "2"),
        (247.2, 700, 10, "."),
    )
    assert _one(data, "a.pdf").body == "Le taux est de 6,1 [1] % en 2026 [2]."


def test_a_small_figure_on_the_line_is_none() -> None:
    data = _pdf((72, 700, 10, "Le taux est de 6,"), (174, 700, 7, "12"), (182.4, 700, 10, " %."))
    assert _one(data, "a.pdf").body == "Le taux est de 6,12 %."


def test_a_footnote_of_a_pdf_comes_after_the_text() -> None:
    data = _pdf(
        (72, 400, 10, "Titre"),
        (72, 300, 10, "Une phrase longue qui a un appel"),
        (264, 304, 6, "1"),
        (267.6, 300, 10, " et qui dit ensuite"),
        (72, 288, 10, "beaucoup de choses encore."),
        (72, 200, 7, "1 Source : institut national."),
    )
    assert _one(data, "a.pdf").body == (
        "Une phrase longue qui a un appel [1] et qui dit ensuite beaucoup de choses encore."
        "\n\n[1] Source : institut national."
    )
