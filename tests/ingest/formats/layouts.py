"""Notes as counsellors lay them out, and what writes each in every format.

A layout is a sequence of parts. In a text `{n}` calls the layout's n-th footnote. The notes and
their figures are made up.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from html import escape

from tests.ingest.formats.making import W, docx, odt

_CALL = re.compile(r"\{(\d)\}")


@dataclass(frozen=True)
class P:
    """Paragraphs, each by itself."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Lines:
    """One paragraph of several lines, as a block letterhead."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Beside:
    """Two blocks of lines side by side: in a table without lines, or (`tabs`) parted by tabs."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    tabs: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells; `labels`: of a header, a label and its value."""

    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Items:
    """A list: numbered by the program (`1`, `a`, …) or with bullets; an item may have items."""

    texts: tuple["str | Items", ...]
    form: str = ""


@dataclass(frozen=True)
class Heading:
    """The heading of a section."""

    text: str


Element = P | Lines | Beside | Table | Items | Heading


@dataclass(frozen=True)
class Layout:
    """A note: its parts, its footnotes, and what is to be read of it."""

    parts: tuple[Element, ...]
    fields: dict[str, str]
    notes: tuple[str, ...] = ()


# HTML

_STYLE = (
    "body{font-family:serif;font-size:11pt;text-align:justify}td,th{vertical-align:top;"
    "text-align:left;padding:2pt 14pt}table.b td,table.b th{border:1px solid}table.l{width:100%}"
)


def page(layout: Layout) -> bytes:
    """The note as a web page, which a browser also prints."""
    inside = "".join(map(_in_page, layout.parts))
    notes = "".join(f"<p><sup>{n}</sup> {escape(t)}</p>" for n, t in enumerate(layout.notes, 1))
    return (
        f'<!doctype html><html lang="fr"><head><meta charset="utf-8"><style>{_STYLE}</style></head>'
        f"<body>{inside}{notes}</body></html>"
    ).encode()


def _said(text: str) -> str:
    return _CALL.sub(r"<sup>\1</sup>", escape(text))


def _in_page(part: Element) -> str:
    if isinstance(part, P):
        return "".join(f"<p>{_said(text)}</p>" for text in part.texts)
    if isinstance(part, Lines):
        return f'<p style="text-align:left">{"<br>".join(map(_said, part.texts))}</p>'
    if isinstance(part, Heading):
        return f"<h2>{_said(part.text)}</h2>"
    if isinstance(part, Beside):
        cells = "".join(f"<td>{'<br>'.join(map(_said, c))}</td>" for c in (part.left, part.right))
        return f'<table class="l"><tr>{cells}</tr></table>'
    if isinstance(part, Table):
        rows = "".join(
            f"<tr>{''.join(f'<td>{_said(cell)}</td>' for cell in row)}</tr>" for row in part.rows
        )
        return f'<table class="b">{rows}</table>'
    tag, form = ("ol", f' type="{part.form}"') if part.form else ("ul", "")
    inside = ""
    for item in part.texts:
        said = _said(item) if isinstance(item, str) else _in_page(item)
        inside += f"<li>{said}" if isinstance(item, str) else said
    return f"<{tag}{form}>{inside}</{tag}>"


# A mail


def mail(layout: Layout) -> bytes:
    """The note as the HTML text of a mail, with the plain text that programs send beside it."""
    message = EmailMessage()
    message["From"] = "Service social <social@example.fr>"
    message["To"] = "bureau@example.fr"
    message["Subject"] = layout.fields["subject"]
    message["Date"] = "Mon, 30 Nov 2026 09:30:00 +0100"
    message.set_content(page(layout).decode(), subtype="html")
    return message.as_bytes()


# DOCX

_FORMS = {"1": "decimal", "a": "lowerLetter", "i": "lowerRoman", "": "bullet"}
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml"


def word(layout: Layout) -> bytes:
    """The note as Word saves it: lists numbered by the program, real footnotes."""
    lists: list[Items] = []
    body = "".join(_in_word(part, lists) for part in layout.parts)
    levels = "".join(
        f'<w:abstractNum w:abstractNumId="{n}">{"".join(_levels(each))}</w:abstractNum>'
        for n, each in enumerate(lists, 1)
    )
    numbers = "".join(
        f'<w:num w:numId="{n}"><w:abstractNumId w:val="{n}"/></w:num>'
        for n in range(1, len(lists) + 1)
    )
    notes = "".join(
        f'<w:footnote w:id="{n + 1}"><w:p><w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr>'
        f'<w:footnoteRef/></w:r><w:r><w:rPr><w:sz w:val="18"/></w:rPr>'
        f'<w:t xml:space="preserve"> {escape(text)}</w:t></w:r></w:p></w:footnote>'
        for n, text in enumerate(layout.notes, 1)
    )
    parts = ("numbering", "footnotes")
    overrides = "".join(
        f'<Override PartName="/word/{name}.xml" ContentType="{_TYPE}.{kind}+xml"/>'
        for name, kind in (("document", "document.main"), *zip(parts, parts, strict=True))
    )
    return docx(
        body,
        **{
            "[Content_Types].xml": "<Types xmlns="
            '"http://schemas.openxmlformats.org/package/2006/content-types"><Default '
            'Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships'
            f'+xml"/>{overrides}</Types>',
            "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" '
            f'Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{_RELATIONS}">'
            + "".join(
                f'<Relationship Id="{name}" Type="{_OFFICE}/{name}" Target="{name}.xml"/>'
                for name in parts
            )
            + "</Relationships>",
            "word/numbering.xml": f'<w:numbering xmlns:w="{W}">{levels}{numbers}</w:numbering>',
            "word/footnotes.xml": f'<w:footnotes xmlns:w="{W}">{notes}</w:footnotes>',
        },
    )


def _levels(items: Items, depth: int = 0) -> Iterator[str]:
    text = f"%{depth + 1}{'.' if items.form == '1' else ')'}" if items.form else "-"
    yield (
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{_FORMS[items.form]}"/>'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
    )
    for item in items.texts:
        if isinstance(item, Items):
            yield from _levels(item, depth + 1)
            return


def _runs(text: str) -> str:
    out = ""
    for number, piece in enumerate(_CALL.split(text)):
        if number % 2:
            out += (
                '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr>'
                f'<w:footnoteReference w:id="{int(piece) + 1}"/></w:r>'
            )
        else:
            out += f'<w:r><w:t xml:space="preserve">{escape(piece)}</w:t></w:r>'
    return out


def _wp(runs: str, properties: str = "") -> str:
    return f'<w:p><w:pPr><w:spacing w:after="120"/>{properties}</w:pPr>{runs}</w:p>'


def _wlines(texts: Sequence[str]) -> str:
    return "".join(f'<w:p><w:pPr><w:spacing w:after="0"/></w:pPr>{_runs(t)}</w:p>' for t in texts)


def _in_word(part: Element, lists: list[Items], depth: int = 0) -> str:
    if isinstance(part, P):
        return "".join(_wp(_runs(text)) for text in part.texts)
    if isinstance(part, Lines):
        return _wlines(part.texts[:-1]) + _wp(_runs(part.texts[-1]))
    if isinstance(part, Heading):
        return _wp(f"<w:r><w:rPr><w:b/></w:rPr><w:t>{escape(part.text)}</w:t></w:r>")
    if isinstance(part, Beside) and part.tabs:
        tab = '<w:tabs><w:tab w:val="left" w:pos="5600"/></w:tabs>'
        return "".join(
            f"<w:p><w:pPr>{tab}</w:pPr>{_runs(a)}<w:r><w:tab/></w:r>{_runs(b)}</w:p>"
            for a, b in zip(part.left, part.right, strict=True)
        )
    if isinstance(part, Beside):
        cells = "".join(f"<w:tc>{_wlines(cell)}</w:tc>" for cell in (part.left, part.right))
        return f"<w:tbl><w:tr>{cells}</w:tr></w:tbl>"
    if isinstance(part, Table):
        width = 9000 // len(part.rows[0])
        cell = f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr>{{}}</w:tc>'.format
        rows = "".join(
            f"<w:tr>{''.join(cell(_wlines([text])) for text in row)}</w:tr>" for row in part.rows
        )
        return f"<w:tbl>{rows}</w:tbl>" + _wp("")
    if not depth:
        lists.append(part)
    number = f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{len(lists)}"/></w:numPr>'
    return "".join(
        _wp(_runs(item), number) if isinstance(item, str) else _in_word(item, lists, depth + 1)
        for item in part.texts
    )


# ODT


def libre(layout: Layout) -> bytes:
    """The note as LibreOffice saves it: lists numbered by the program, real footnotes."""
    lists: list[Items] = []
    body = "".join(_in_libre(part, lists, layout.notes) for part in layout.parts)
    styles = "".join(
        f'<text:list-style style:name="L{n}">{"".join(_list_levels(each))}</text:list-style>'
        for n, each in enumerate(lists, 1)
    )
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "style", "text")
    )
    return odt(
        body,
        **{
            "styles.xml": f"<office:document-styles {names}><office:styles>{styles}"
            "</office:styles></office:document-styles>"
        },
    )


def _list_levels(items: Items, depth: int = 1) -> Iterator[str]:
    if items.form:
        suffix = "." if items.form == "1" else ")"
        yield (
            f'<text:list-level-style-number text:level="{depth}" style:num-format="{items.form}" '
            f'style:num-suffix="{suffix}"/>'
        )
    else:
        yield f'<text:list-level-style-bullet text:level="{depth}" text:bullet-char="•"/>'
    for item in items.texts:
        if isinstance(item, Items):
            yield from _list_levels(item, depth + 1)
            return


def _in_libre(part: Element, lists: list[Items], notes: Sequence[str], deep: bool = False) -> str:
    def said(text: str) -> str:
        return _CALL.sub(
            lambda call: (
                '<text:note text:note-class="footnote"><text:note-citation>'
                f"{call[1]}</text:note-citation><text:note-body><text:p>"
                f"{escape(notes[int(call[1]) - 1])}</text:p></text:note-body></text:note>"
            ),
            escape(text),
        )

    def ps(texts: Sequence[str]) -> str:
        return "".join(f"<text:p>{said(text)}</text:p>" for text in texts)

    if isinstance(part, (P, Lines)):
        return ps(part.texts)
    if isinstance(part, Heading):
        return f'<text:h text:outline-level="1">{escape(part.text)}</text:h>'
    if isinstance(part, Beside) and part.tabs:
        pairs = zip(part.left, part.right, strict=True)
        return "".join(f"<text:p>{said(a)}<text:tab/>{said(b)}</text:p>" for a, b in pairs)
    if isinstance(part, (Beside, Table)):
        rows = [(part.left, part.right)] if isinstance(part, Beside) else _cells_of(part)
        return "<table:table>{}</table:table>".format(
            "".join(
                "<table:table-row>{}</table:table-row>".format(
                    "".join(f"<table:table-cell>{ps(cell)}</table:table-cell>" for cell in row)
                )
                for row in rows
            )
        )
    if not deep:
        lists.append(part)
    named = "" if deep else f' text:style-name="L{len(lists)}"'
    inside = ""
    for item in part.texts:
        if isinstance(item, str):
            inside += f"</text:list-item><text:list-item><text:p>{said(item)}</text:p>"
        else:
            inside += _in_libre(item, lists, notes, deep=True)
    inside = inside.removeprefix("</text:list-item>")
    return f"<text:list{named}>{inside}</text:list-item></text:list>"


def _cells_of(table: Table) -> list[tuple[tuple[str], ...]]:
    return [tuple((cell,) for cell in row) for row in table.rows]


# The layouts

_ONE = (
    "Le gouvernement italien a présenté le 3 mars un projet de loi qui relève le plafond de "
    "l'allocation de chômage de 1 550 à 1 620 euros et en ouvre le droit, pour la première fois, "
    "aux travailleurs saisonniers de l'agriculture. Le coût en est estimé à 412 millions d'euros."
)
_TWO = (
    "Les organisations syndicales regrettent que la durée d'indemnisation ne change pas, et "
    "demandent que la période de référence soit portée de 24 à 36 mois. Le patronat juge au "
    "contraire que la mesure renchérit le travail de 0,3 point et appelle à un financement public."
)
_THREE = (
    "Le poste suivra l'examen du texte au Sénat, prévu avant l'été, et rendra compte de l'avis "
    "du Conseil national de l'économie et du travail."
)
_ITALY = {"post": "rome", "date": "2026-03-04", "reference": "ROM-2026-0811"}
_SUBJECT = "Réforme de l'assurance chômage en Italie"
_BASE = _ITALY | {"subject": _SUBJECT}

LAYOUTS = {
    "block letterhead": Layout(
        (
            Lines(
                (
                    "AMBASSADE DE FRANCE EN ITALIE",
                    "Service des affaires sociales",
                    "Note diplomatique",
                    "Référence : ROM-2026-0811",
                    f"Objet : {_SUBJECT}",
                    "Rome, le 4 mars 2026",
                )
            ),
            P((_ONE, _TWO, _THREE)),
        ),
        _BASE | {"genre": "note_diplomatique"},
    ),
    "two columns": Layout(
        (
            Beside(
                ("AMBASSADE DE FRANCE EN ITALIE", "Service des affaires sociales"),
                ("Rome, le 4 mars 2026", "N° ROM-2026-0811"),
            ),
            P((f"Objet : {_SUBJECT}", _ONE, _TWO, _THREE)),
        ),
        _BASE,
    ),
    "two columns by tabs": Layout(
        (
            Beside(
                ("AMBASSADE DE FRANCE EN ITALIE", "Service des affaires sociales"),
                ("Rome, le 4 mars 2026", "N° ROM-2026-0811"),
                tabs=True,
            ),
            P((f"Objet : {_SUBJECT}", _ONE, _THREE)),
        ),
        _BASE,
    ),
    "telegram": Layout(
        (
            P(("Télégramme diplomatique",)),
            Lines(
                (
                    "De : Ambassade de France en Italie",
                    "À : DAEI ; DSS",
                    "Référence : ROM-2026-0811",
                    "Date : 4 mars 2026",
                    f"Objet : {_SUBJECT}",
                )
            ),
            P((f"1. {_ONE}", f"2. {_TWO}", f"3. {_THREE}")),
        ),
        _BASE | {"genre": "note_diplomatique", "addressees": "DAEI;DSS"},
    ),
    "bulletin": Layout(
        (
            P(("Bulletin d'actualité sociale n° 12", "Rome, le 4 mars 2026")),
            P((f"Objet : {_SUBJECT}",)),
            Items(("Assurance chômage", "Négociation collective", "Agenda")),
            Heading("Assurance chômage"),
            P((_ONE,)),
            Heading("Négociation collective"),
            P((_TWO,)),
            Heading("Agenda"),
            P((_THREE,)),
        ),
        {"post": "rome", "date": "2026-03-04", "subject": _SUBJECT, "genre": "bulletin"}
        | {"reference": "12"},
    ),
    "label table": Layout(
        (
            P(("Note d'information",)),
            Table(
                (
                    ("Objet :", _SUBJECT),
                    ("Référence :", "ROM-2026-0811"),
                    ("Date :", "4 mars 2026"),
                    ("Poste :", "Rome"),
                )
            ),
            P((_ONE, _TWO)),
        ),
        _BASE | {"genre": "note"},
    ),
    "footnotes": Layout(
        (
            Lines(("Note diplomatique", "Référence : ROM-2026-0811", f"Objet : {_SUBJECT}")),
            P(
                (
                    "Rome, le 4 mars 2026",
                    "Le taux de chômage a reculé à 6,1{1} % en janvier 2026{2}, contre 6,5 % un an "
                    "plus tôt, et le nombre de demandeurs d'emploi à 1 580 000{3} personnes.",
                    _TWO,
                )
            ),
        ),
        _BASE | {"genre": "note_diplomatique"},
        ("Source : institut de statistique.", "Données corrigées.", "Au sens du Bureau."),
    ),
    "numbered by the program": Layout(
        (
            P(("Note diplomatique", "Référence : ROM-2026-0811", "Rome, le 4 mars 2026")),
            P((f"Objet : {_SUBJECT}",)),
            Items((_ONE, _TWO, "Voir le point 1."), "1"),
            P((_THREE,)),
        ),
        _BASE | {"genre": "note_diplomatique"},
    ),
    "nested lists": Layout(
        (
            P(("Note diplomatique", "Référence : ROM-2026-0811", "Rome, le 4 mars 2026")),
            P((f"Objet : {_SUBJECT}", _ONE)),
            Items(
                (
                    "Ce que prévoit le texte",
                    Items(("un plafond de 1 620 euros", "un droit pour les saisonniers"), "a"),
                    "Ce qu'il ne prévoit pas",
                    Items(("une durée plus longue", "un financement public"), "a"),
                ),
                "1",
            ),
            P((_THREE,)),
        ),
        _BASE | {"genre": "note_diplomatique"},
    ),
    "table of figures": Layout(
        (
            Lines(("Note diplomatique", "Référence : ROM-2026-0811", f"Objet : {_SUBJECT}")),
            P(("Rome, le 4 mars 2026", _ONE)),
            Table(
                (
                    ("Région", "Janvier 2025", "Janvier 2026"),
                    ("Lombardie", "4,1 %", "3,9 %"),
                    ("Campanie", "15,8 %", "14,2 %"),
                    ("Sicile", "14,9 %", "13,7 %"),
                )
            ),
            P((_TWO,)),
        ),
        _BASE | {"genre": "note_diplomatique"},
    ),
    "long table": Layout(
        (
            Lines(("Note diplomatique", "Référence : ROM-2026-0811", f"Objet : {_SUBJECT}")),
            P(("Rome, le 4 mars 2026", _ONE)),
            Table(
                tuple((f"Province {n}", f"{n},4 %", f"{n + 1} 250") for n in range(10, 90)),
            ),
            P((_TWO,)),
        ),
        _BASE | {"genre": "note_diplomatique"},
    ),
    "report with a cover": Layout(
        (
            P(
                (
                    "Rapport",
                    "Ambassade de France en Italie",
                    "Référence : ROM-2026-0811",
                    "4 mars 2026",
                    f"Objet : {_SUBJECT}",
                )
            ),
            Heading("I. Le texte"),
            *[P((_ONE, _TWO)) for _ in range(6)],
            Heading("II. Les suites"),
            *[P((_TWO, _THREE)) for _ in range(6)],
        ),
        _BASE | {"genre": "rapport"},
    ),
    "annex": Layout(
        (
            Lines(("Note diplomatique", "Référence : ROM-2026-0811", f"Objet : {_SUBJECT}")),
            P(("Rome, le 4 mars 2026", _ONE, _TWO)),
            Heading("Annexe 1 : lettre du ministère"),
            P(("Référence : MLPS-2025-77", "Objet : Consultation des partenaires", _THREE)),
        ),
        _BASE | {"genre": "note_diplomatique"},
    ),
    "thread": Layout(
        (
            P(("Référence : ROM-2026-0811", f"Objet : {_SUBJECT}", "Rome, le 4 mars 2026", _ONE)),
            Lines(
                (
                    "-----Message d'origine-----",
                    "De : Bureau des affaires européennes",
                    "Date : 2 février 2025",
                    "Objet : question sur l'Espagne",
                )
            ),
            P((_THREE,)),
        ),
        _BASE,
    ),
    "short lines": Layout(
        (
            Lines(("Brève", "Rome, le 4 mars 2026", "N° ROM-2026-0811", f"Objet : {_SUBJECT}")),
            P(
                (
                    "Le projet de loi est publié.",
                    "Le Sénat l'examine avant l'été.",
                    "Le coût en est de 412 millions d'euros.",
                )
            ),
        ),
        _BASE | {"genre": "breve"},
    ),
}
