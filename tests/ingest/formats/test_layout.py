"""Cells stand in their columns, letterheads line by line, and the lines of a PDF stay lines."""

import pytest

from services.ingest.formats import Document, extract
from tests.ingest.formats.making import docx, odt, paragraphs, pdf, pdf_of, stream

LONG = (
    "Le taux de chômage a reculé au premier trimestre, selon l'institut",
    "national de statistique, et la réforme de l'assurance chômage entre",
    "en vigueur le 1er avril, après la consultation des partenaires.",
)


def _one(data: bytes, name: str) -> Document:
    (found,) = extract(data, name)
    assert isinstance(found, Document), found
    return found


def _body(data: bytes, name: str) -> str:
    return _one(data, name).body


ROWS = [
    (
        "<tr><th>Pays<th>An<th>Taux<tr><td rowspan=2>Italie<td>2024<td>6,5<tr><td>2025<td>6,1",
        "Pays | An | Taux\nItalie | 2024 | 6,5\n| 2025 | 6,1",
    ),
    (
        "<tr><th>An<th>Pays<th>Taux<tr><td>2024<td rowspan=2>Italie<td>6,5<tr><td>2025<td>6,1",
        "An | Pays | Taux\n2024 | Italie | 6,5\n2025 | | 6,1",
    ),
    (
        "<tr><th colspan=2>Chômage<th>Emploi<tr><td>2024<td>6,5<td>62,1",
        "Chômage | | Emploi\n2024 | 6,5 | 62,1",
    ),
    (
        "<tr><td rowspan=3 colspan=2>A<td>1<tr><td>2<tr><td>3<tr><td>b<td>c<td>4",
        "A | | 1\n| | 2\n| | 3\nb | c | 4",
    ),
    (
        "<tr><td>a<td rowspan=0>B<td>1<tr><td>c<td>2<tr><td>d<td>3",
        "a | B | 1\nc | | 2\nd | | 3",
    ),
    ("<tr><th colspan=3>Tableau 1<tr><td>a<td>b<td>c", "Tableau 1\na | b | c"),
    ("<tr><td>a<td>b<tr><td>c<td>d", "a | b\nc | d"),
    ("<tr><td colspan=x>a<td rowspan=-2>b<tr><td>c<td>d", "a | b\nc | d"),
]


@pytest.mark.parametrize(("rows", "text"), ROWS)
def test_the_cells_of_a_page_stand_in_their_columns(rows: str, text: str) -> None:
    assert _body(f"<h1>Titre</h1><table>{rows}</table>".encode(), "page.html") == text


def _cell(text: str, **spans: int) -> str:
    said = "".join(f' table:number-{name}-spanned="{count}"' for name, count in spans.items())
    return f"<table:table-cell{said}><text:p>{text}</text:p></table:table-cell>"


_COVERED = "<table:covered-table-cell/>"


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            [
                [_cell("Italie", rows=2), _cell("2024"), _cell("6,5")],
                [_COVERED, _cell("2025"), _cell("6,1")],
            ],
            "Italie | 2024 | 6,5\n| 2025 | 6,1",
        ),
        (
            [
                [_cell("Italie", rows=2), _cell("2024"), _cell("6,5")],
                [_cell("2025"), _cell("6,1")],
            ],
            "Italie | 2024 | 6,5\n| 2025 | 6,1",
        ),
        (
            [
                [_cell("2024"), _cell("Italie", rows=2), _cell("6,5")],
                [_cell("2025"), _cell("6,1")],
            ],
            "2024 | Italie | 6,5\n2025 | | 6,1",
        ),
        (
            [
                [_cell("Chômage", columns=2), _COVERED, _cell("Emploi")],
                [_cell("2024"), _cell("6,5"), _cell("62,1")],
            ],
            "Chômage | | Emploi\n2024 | 6,5 | 62,1",
        ),
        (
            [[_cell("a"), '<table:table-cell table:number-columns-repeated="2"/>', _cell("d")]],
            "a | | | d",
        ),
    ],
)
def test_the_cells_of_an_odt_stand_in_their_columns(rows: list[list[str]], text: str) -> None:
    inside = "".join(f"<table:table-row>{''.join(row)}</table:table-row>" for row in rows)
    data = odt(f"<text:p>Titre</text:p><table:table>{inside}</table:table>")
    assert _body(data, "note.odt") == text


def _tc(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraphs(text)}</w:tc>"


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            [
                [_tc("Italie", '<w:vMerge w:val="restart"/>'), _tc("2024"), _tc("6,5")],
                [_tc("", "<w:vMerge/>"), _tc("2025"), _tc("6,1")],
            ],
            "Italie | 2024 | 6,5\n| 2025 | 6,1",
        ),
        (
            [
                [_tc("Chômage", '<w:gridSpan w:val="2"/>'), _tc("Emploi")],
                [_tc("2024"), _tc("6,5"), _tc("62,1")],
            ],
            "Chômage | | Emploi\n2024 | 6,5 | 62,1",
        ),
        (
            [
                ['<w:trPr><w:gridBefore w:val="1"/></w:trPr>', _tc("2024"), _tc("2025")],
                [_tc("Italie"), _tc("6,5"), _tc("6,1")],
            ],
            "| 2024 | 2025\nItalie | 6,5 | 6,1",
        ),
    ],
)
def test_the_cells_of_a_docx_stand_in_their_columns(rows: list[list[str]], text: str) -> None:
    inside = "".join(f"<w:tr>{''.join(row)}</w:tr>" for row in rows)
    data = docx(paragraphs("Titre") + f"<w:tbl>{inside}</w:tbl>")
    assert _body(data, "note.docx") == text


def test_a_hostile_span_fills_no_memory() -> None:
    cell = "<td rowspan=65000 colspan=1000>x"
    page = f"<table><tr>{cell * 200}{'<tr><td>y<td>z' * 300}</table>"
    body = _body(f"<p>Titre</p>{page}".encode(), "page.html")
    assert body.count("y") == 300
    assert len(body) < 500_000


LEFT = ("AMBASSADE DE FRANCE EN ITALIE", "Service des affaires sociales")
RIGHT = ("Rome, le 4 mars 2026", "N° ROM-2026-0804")
BESIDE = "\n\n".join(("\n".join(LEFT), "\n".join(RIGHT), "Texte de la note."))
TOP = {
    "breaks.html": "<table><tr><td>{}<td>{}</table><p>Texte de la note.".format(
        "<br>".join(LEFT), "<br>".join(RIGHT)
    ).encode(),
    "divs.html": "<table><tr><td>{}<td></td><td>{}</table><p>Texte de la note.".format(
        "<br>".join(LEFT), "<br>".join(RIGHT)
    ).encode(),
    "note.docx": docx(
        "<w:tbl><w:tr>{}</w:tr></w:tbl>{}".format(
            "".join(
                f"<w:tc><w:p><w:r><w:t>{a}</w:t><w:br/><w:t>{b}</w:t></w:r></w:p></w:tc>"
                for a, b in (LEFT, RIGHT)
            ),
            paragraphs("Texte de la note."),
        )
    ),
    "note.odt": odt(
        "<table:table><table:table-row>{}</table:table-row></table:table>"
        "<text:p>Texte de la note.</text:p>".format(
            "".join(
                f"<table:table-cell><text:p>{a}<text:line-break/>{b}</text:p></table:table-cell>"
                for a, b in (LEFT, RIGHT)
            )
        )
    ),
}


@pytest.mark.parametrize("name", TOP)
def test_a_letterhead_of_two_columns_is_read_line_by_line(name: str) -> None:
    found = _one(TOP[name], name)
    assert found.body == BESIDE
    assert found.fields["reference"] == "ROM-2026-0804"
    assert (found.fields["date"], found.fields["post"]) == ("2026-03-04", "rome")


def test_a_letterhead_that_tabs_part_is_read_line_by_line() -> None:
    lines = "".join(
        f"<w:p><w:r><w:t>{a}</w:t><w:tab/><w:tab/><w:t>{b}</w:t></w:r></w:p>"
        for a, b in zip(LEFT, RIGHT, strict=True)
    )
    found = _one(docx(lines + paragraphs("Texte de la note.")), "note.docx")
    assert (found.fields["reference"], found.fields["date"]) == ("ROM-2026-0804", "2026-03-04")
    assert "Rome, le 4 mars 2026" in found.body.splitlines()


@pytest.mark.parametrize(
    ("before", "table", "text"),
    [
        # labels and what they say
        ("", "<tr><td>Objet :<td>Réforme<br>des retraites", "Objet : | Réforme des retraites"),
        # figures
        ("", "<tr><td>Italie<br>(Nord)<td>6,5<tr><td>Espagne<td>10,6", None),
        # after the text has begun
        (f"<p>{' '.join(LONG)}</p>", "<tr><td>Pays<br>membres<td>Mesure<br>prise", None),
        ("<ul><li>un</ul>", "<tr><td>Pays<br>membres<td>Mesure<br>prise", None),
    ],
)
def test_other_tables_stay_rows(before: str, table: str, text: str | None) -> None:
    body = _body(f"<h1>Titre</h1>{before}<table>{table}</table><p>Fin.".encode(), "page.html")
    rows = [line for line in body.splitlines() if "|" in line]
    assert rows
    assert text is None or text in rows


HEADERS = [
    (
        "Note diplomatique",
        "Référence : ROM-2026-0811",
        "Objet : Chômage en Italie",
        "Rome, le 4 mars 2026",
    ),
    (
        "AMBASSADE DE FRANCE EN ESPAGNE",
        "Service des affaires sociales",
        "Madrid, le 12 janvier 2026",
        "N° MAD-2026-12",
        "Objet : Salaire minimum interprofessionnel, ce que prévoit l'accord du",
        "12 janvier",
    ),
    (
        "Note d'information",
        "Affaire suivie par : Mme Martin",
        "conseillère pour les affaires sociales",
        "Réf. : notre note STO-2025-7",
        "Stockholm, le 3 mars 2026",
    ),
]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("gap", [[], [""]])
def test_the_lines_of_a_letterhead_stay_lines(header: tuple[str, ...], gap: list[str]) -> None:
    body = _body(pdf([*header, *gap, *LONG]), "note.pdf")
    lines = body.splitlines()
    assert " ".join(LONG) in lines
    kept = header if "12 janvier" not in header else header[:4]
    assert [line for line in lines if line in kept] == list(kept)


def test_a_pdf_of_one_line_paragraphs_keeps_each() -> None:
    lines = [
        "Note diplomatique",
        "Référence : ROM-2026-0811",
        "Objet : Chômage en Italie",
        "Rome, le 4 mars 2026",
        "Le taux de chômage a reculé au premier trimestre, dit l'institut national.",
        "La réforme entre en vigueur le 1er avril.",
        "Les partenaires sociaux ont été consultés",
        "Le poste suivra la mise en œuvre.",
    ]
    found = _one(pdf(lines), "note.pdf")
    assert [line for line in found.body.splitlines() if line] == lines
    assert found.subject == "Chômage en Italie"
    assert found.fields["reference"] == "ROM-2026-0811"


def test_the_paragraphs_of_a_pdf_are_joined_as_before() -> None:
    body = _body(pdf(["Titre", "", *LONG, "", *LONG, "Une phrase courte."]), "note.pdf")
    whole = " ".join(LONG)
    assert body == f"{whole}\n\n{whole}\n\nUne phrase courte."


LIST = ("1. Premier point, un", "a) une mesure", "b) une autre,", "c) la dernière", "2. Suite")


def test_a_numbered_list_of_a_pdf_keeps_its_lines() -> None:
    body = _body(pdf(["Titre", "", *LONG, "", *LIST]), "n.pdf")
    assert body.endswith("\n".join(LIST))


def _placed(*pieces: tuple[float, float, str]) -> bytes:
    drawn = b"BT /F1 10 Tf " + b"".join(
        b"1 0 0 1 %.1f %.1f Tm (%s) Tj " % (x, y, text.encode("cp1252")) for x, y, text in pieces
    )
    return pdf_of(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[4 0 R]/Count 1>>",
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 5 0 R"
            b"/Resources<</Font<</F1 3 0 R>>>>>>",
            stream(drawn + b"ET"),
        ]
    )


@pytest.mark.parametrize("by_row", [True, False])
def test_two_blocks_at_one_height_are_not_interleaved(by_row: bool) -> None:
    left = [(60.0, 700.0 - 12 * at, text) for at, text in enumerate(LEFT)]
    right = [(340.0, 700.0 - 12 * at, text) for at, text in enumerate(RIGHT)]
    placed = [each for pair in zip(left, right, strict=True) for each in pair]
    placed = placed if by_row else [*left, *right]
    text = [(60.0, 640.0 - 12 * at, line) for at, line in enumerate(LONG)]
    found = _one(_placed(*placed, *text), "note.pdf")
    assert found.body == "\n\n".join(("\n".join(LEFT), "\n".join(RIGHT), " ".join(LONG)))
    assert (found.fields["reference"], found.fields["date"]) == ("ROM-2026-0804", "2026-03-04")


def test_a_letterhead_that_a_pdf_writes_last_is_read_first() -> None:
    text = [(60.0, 600.0 - 12 * at, line) for at, line in enumerate(LONG)]
    frame = [(60.0, 700.0 - 12 * at, line) for at, line in enumerate((*LEFT, *RIGHT))]
    found = _one(_placed(*text, *frame), "note.pdf")
    assert found.body == "\n".join((*LEFT, *RIGHT)) + "\n\n" + " ".join(LONG)


def test_a_table_of_figures_at_the_top_of_a_pdf_stays_a_table() -> None:
    rows = [("Pays", "Taux"), ("Italie", "6,1"), ("Espagne", "10,6")]
    placed = [
        (x, 700.0 - 12 * at, text)
        for at, row in enumerate(rows)
        for x, text in zip((60.0, 300.0), row, strict=True)
    ]
    body = _body(_placed((60.0, 730.0, "Titre"), *placed), "note.pdf")
    assert body == "Pays | Taux\nItalie | 6,1\nEspagne | 10,6"


def test_columns_of_text_keep_their_paragraphs() -> None:
    narrow = [
        "La réforme de l'assurance",
        "chômage entre en vigueur au",
        "printemps et son calendrier",
        "reste incertain pour les",
        "partenaires sociaux.",
    ]
    left = [(60.0, 700.0 - 12 * at, text) for at, text in enumerate(narrow)]
    right = [(340.0, 700.0 - 12 * at, text) for at, text in enumerate(narrow)]
    body = _body(_placed((60.0, 740.0, "Titre"), *left, *right), "note.pdf")
    assert body == "\n\n".join([" ".join(narrow)] * 2)
