"""What a counsellor's document says: its text, its header, and nothing of the page round it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.formats import ENDINGS, Document, Unreadable, documents, extract
from tests.ingest.formats.making import W, docx, eml, odt, paragraphs, pdf, zipped

HEADER = (
    "AMBASSADE DE FRANCE EN ALLEMAGNE",
    "Service pour les affaires sociales",
    "NOTE DIPLOMATIQUE N° BER-2026-0142",
    "Berlin, le 4 mars 2026",
    "Objet : Réforme des retraites, le rapport de la commission",
    "Réf. : BER-2025-0031 du 3 février 2025 ; BER-2025-0099",
)
TEXT = "La commission a remis son rapport. Elle propose d'indexer l'âge de départ."
FIELDS = {
    "post": "berlin",
    "genre": "note_diplomatique",
    "reference": "BER-2026-0142",
    "date": "2026-03-04",
    "subject": "Réforme des retraites, le rapport de la commission",
    "cites": "BER-2025-0031;BER-2025-0099",
}
TITLE = "Ambassade de France - Service social"
PAGE = "".join(f"<p>{line}</p>" for line in (*HEADER, TEXT))
BY_FORMAT = {
    "note.txt": "\n".join((*HEADER, "", TEXT)).encode(),
    "note.md": "\n\n".join(
        ("# " + HEADER[0], *(f"**{line}**" for line in HEADER[1:]), TEXT)
    ).encode(),
    "note.html": f"<html><body>{PAGE}</body></html>".encode(),
    "note.docx": docx(paragraphs(*HEADER, TEXT)),
    "note.odt": odt("".join(f"<text:p>{line}</text:p>" for line in (*HEADER, TEXT))),
    "note.pdf": pdf([line for text in (*HEADER, TEXT) for line in (text, "")]),
    "note.eml": eml("\n".join((*HEADER, "", TEXT))),
}


def _one(data: bytes, name: str) -> Document:
    (found,) = extract(data, name)
    assert isinstance(found, Document), found
    return found


@pytest.mark.parametrize("name", BY_FORMAT)
def test_the_header_of_a_note_is_read_from_every_format(name: str) -> None:
    found = _one(BY_FORMAT[name], name)
    assert dict(found.fields) == FIELDS
    assert found.subject == FIELDS["subject"]
    assert TEXT in found.body
    assert found.original == BY_FORMAT[name]


@pytest.mark.parametrize(
    ("head", "fields"),
    [
        ("Date : 1er février 2026", {"date": "2026-02-01"}),
        ("Date | 04/03/2026", {"date": "2026-03-04"}),
        ("Date : 31 février 2026", {}),
        ("Rome, le mardi 3 mars 2026", {"date": "2026-03-03", "post": "rome"}),
        ("Paris, le 3 mars 2026", {"date": "2026-03-03"}),
        (
            "Référence : MAD-2026-031 | Date : 2026-03-04",
            {"reference": "MAD-2026-031", "date": "2026-03-04"},
        ),
        ("N° 2026-17", {"reference": "2026-17"}),
        ("_Référence_ : **BER_2026_1**", {"reference": "BER_2026_1"}),
        ("Nos réf. : BRX/2026/12", {"reference": "BRX/2026/12"}),
        (
            "Références :\n- ROM-2025-7\n- ROM-2025-9 du 2 mai 2025",
            {"cites": "ROM-2025-7;ROM-2025-9"},
        ),
        ("Télégramme", {"genre": "note_diplomatique"}),
        ("Bulletin d’actualité n° 12", {"genre": "bulletin", "reference": "12"}),
        ("De : Ambassade de France à Rabat", {"post": "rabat"}),
        (
            "Représentation permanente de la France auprès de l’Union européenne",
            {"post": "bruxelles"},
        ),
        ("Mission permanente de la France auprès des Nations unies à Genève", {"post": "geneve"}),
        (
            "Objet : accord\nsur les salaires\nDate : 4 mars 2026",
            {"subject": "accord sur les salaires", "date": "2026-03-04"},
        ),
        ("L'objet : de la réforme est connu", {}),
        ("La note n° 4 est citée ici.", {}),
        ("Berlin, le 4 mars 2026, a annoncé une réforme.", {}),
        ("\n".join(["Une ligne de texte."] * 45) + "\nDate : 4 mars 2026", {}),
    ],
)
def test_a_header_line_is_known_by_its_form(head: str, fields: dict[str, str]) -> None:
    found = _one(f"Titre du document\n\n{head}\n\n{TEXT}".encode(), "note.txt")
    assert dict(found.fields) == fields


def test_a_text_file_without_a_header_is_the_note_it_always_was() -> None:
    found = _one("Réforme des retraites\n\nUn  texte\u00a0: tel\u00adquel.\r\n".encode(), "n.txt")
    assert (found.subject, found.body) == (
        "Réforme des retraites",
        "Un  texte\u00a0: tel\u00adquel.",
    )


def test_a_web_page_gives_its_article_alone() -> None:
    page = f"""<!doctype html><html><head><title>Réforme | Site</title>
    <style>p {{}}</style></head><body>
    <header><a href=/>Accueil</a></header><nav><ul><li>Pays<li>Thèmes</ul></nav>
    <div class="breadcrumb">Vous êtes ici</div>
    <main><h1>Réforme des retraites</h1><div class="share-buttons">Partager</div>
    <p>{TEXT}</p><ul><li>Un<li>Deux</ul>
    <table><tr><th>Pays<th>Âge<tr><td>Allemagne<td>67</table></main>
    <aside>À lire aussi</aside><footer>Mentions légales</footer></body></html>"""
    found = _one(page.encode(), "page.html")
    assert found.subject == "Réforme des retraites"
    assert found.body == f"{TEXT}\n\n- Un\n- Deux\n\nPays | Âge\nAllemagne | 67"


def test_a_page_without_an_article_keeps_its_text_but_not_its_menus() -> None:
    links = "".join(f"<li><a href=/{n}>Rubrique {n}</a>" for n in range(9))
    page = f"<body><div class=nav>Menu</div><ul>{links}</ul><div><p>{TEXT}<p>Suite.</div></body>"
    assert _one(page.encode(), "page.htm").body == "Suite."


def test_a_docx_is_read_as_its_author_sees_it() -> None:
    def run(text: str, more: str = "") -> str:
        return f"<w:r>{more}<w:t>{text}</w:t></w:r>"

    cell = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>"
    rows = "".join(
        f"<w:tr>{''.join(map(cell.format, row))}</w:tr>"
        for row in (("Pays", "Âge"), ("Italie", "67"))
    )
    item = "<w:p><w:pPr><w:numPr><w:numId w:val='1'/></w:numPr></w:pPr>{}</w:p>"
    body = (
        paragraphs("Titre")
        + f"<w:p>{run('Le taux ')}<w:del><w:r><w:delText>ancien</w:delText></w:r></w:del>"
        + f"<w:ins>{run('nouveau')}</w:ins>{run('caché', '<w:rPr><w:vanish/></w:rPr>')}"
        + "<w:r><w:noBreakHyphen/><w:softHyphen/><w:t>né</w:t><w:footnoteReference w:id='2'/></w:r>"
        + "<w:r><w:instrText>HYPERLINK x</w:instrText></w:r></w:p>"
        + f"<w:tbl>{rows}</w:tbl>{item.format(run('un'))}{item.format(run('deux'))}"
        + "<w:p><w:pPr><w:pStyle w:val='TM1'/></w:pPr><w:r><w:t>Sommaire 3</w:t></w:r></w:p>"
    )
    notes = (
        '<w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:footnote w:id='2'><w:p><w:r><w:t>Source : INPS.</w:t></w:r></w:p></w:footnote>"
        "</w:footnotes>"
    )
    found = _one(
        docx(
            body,
            **{
                "word__footnotes.xml": notes,
                "word__header1.xml": "x",
                "word__embeddings__t.xlsx": b"x",
            },
        ),
        "note.docx",
    )
    assert found.body == (
        "Le taux nouveau-né [1]\n\nPays | Âge\nItalie | 67\n\n- un\n- deux\n\n[1] Source : INPS."
    )
    assert found.attachments == ("t.xlsx",)


def test_an_odt_is_read_as_its_author_sees_it() -> None:
    cells = "<table:table-cell><text:p>{}</text:p></table:table-cell>".format
    body = (
        "<text:tracked-changes><text:p>effacé</text:p></text:tracked-changes><text:h>Titre</text:h>"
        "<text:p>Un<text:s text:c='2'/>taux<text:tab/>bas<office:annotation><text:p>avis</text:p>"
        "</office:annotation><text:note><text:note-citation>1</text:note-citation><text:note-body>"
        "<text:p>Source.</text:p></text:note-body></text:note></text:p>"
        "<text:list><text:list-item><text:p>un</text:p></text:list-item>"
        "<text:list-item><text:p>deux</text:p></text:list-item></text:list>"
        f"<table:table><table:table-row>{cells('Pays')}{cells('Âge')}</table:table-row></table:table>"
    )
    found = _one(odt(body), "note.odt")
    assert found.body == "Un taux bas [1]\n\n- un\n- deux\n\nPays | Âge\n\n[1] Source."


def test_a_pdf_loses_what_layout_added() -> None:
    pages = [
        ["Réforme du médica-", "ment et de la vice-", "présidence, ofﬁcielle", f"en mars {year}."]
        for year in range(2021, 2025)
    ]
    found = _one(pdf(["Titre", "", *pages[0]], *pages[1:], header=TITLE), "note.pdf")
    assert found.subject == "Titre"
    assert found.body == "\n\n".join(
        f"Réforme du médicament et de la vice-présidence, officielle en mars {year}."
        for year in range(2021, 2025)
    )


def test_a_mail_gives_its_text_and_each_readable_attachment() -> None:
    data = eml(
        TEXT, f"<p>{TEXT}</p>", {"annexe.pdf": pdf([TEXT]), "tableau.xlsx": b"x", "../n.docx": b"?"}
    )
    note, annex, broken = extract(data, "envoi.eml")
    assert isinstance(note, Document)
    assert (note.name, note.body, note.attachments) == ("envoi.eml", TEXT, ("tableau.xlsx",))
    assert note.subject == "Réforme des retraites en Allemagne"
    assert dict(note.fields) == {"date": "2026-03-04"}
    assert isinstance(annex, Document)
    assert (annex.name, annex.body, annex.original) == ("envoi.eml/annexe.pdf", TEXT, pdf([TEXT]))
    assert isinstance(broken, Unreadable)
    assert (broken.name, broken.status) == ("envoi.eml/n.docx", 422)


def test_an_archive_gives_each_of_its_documents_and_its_reasons() -> None:
    files = {
        "2026/a.txt": TEXT,
        "2026/b.png": b"\x89PNG",
        "c/d.eml": eml(TEXT),
        "e.html": f"<p>{TEXT}",
    }
    found = extract(zipped(files), "notes.zip")
    assert [each.name for each in found] == [
        "notes.zip/2026/a.txt",
        "notes.zip/2026/b.png",
        "notes.zip/c/d.eml",
        "notes.zip/e.html",
    ]
    assert [isinstance(each, Document) for each in found] == [True, False, True, True]


def test_the_media_type_says_what_a_file_without_an_ending_is() -> None:
    assert extract(b"<p>Texte", "note", "text/html; charset=utf-8")[0].name == "note"
    (found,) = extract(b"# Titre\n\nTexte", "note", "text/markdown")
    assert isinstance(found, Document)
    assert (found.media_type, found.subject) == ("text/markdown", "Titre")


_SEEDS = [*BY_FORMAT.values(), zipped({"a.txt": TEXT})]


def _spoilt(seed: bytes, cut: int, at: int, noise: bytes) -> bytes:
    place = at % (len(seed) + 1)
    return (seed[:place] + noise + seed[place + len(noise) :])[: max(cut, 1)]


@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.builds(
            _spoilt,
            st.sampled_from(_SEEDS),
            st.integers(0, 4000),
            st.integers(0, 4000),
            st.binary(min_size=1, max_size=12),
        ),
    ),
    ending=st.sampled_from(("", ".xyz", *ENDINGS)),
    name=st.text(max_size=20),
    media_type=st.sampled_from([None, "text/html", "application/pdf", "message/rfc822", "?"]),
)
def test_no_file_makes_it_raise(
    data: bytes, ending: str, name: str, media_type: str | None
) -> None:
    found = extract(data, f"{name}{ending}", media_type)
    assert found
    for each in found:
        if isinstance(each, Document):
            assert each.subject.strip()
            assert each.body.strip()
        else:
            assert each.status in (413, 415, 422)
            assert each.detail.endswith(".")


@pytest.mark.parametrize(
    "line",
    [
        "2021-03-04, le gouvernement a adopté la loi.",
        "2021-03-04 : adoption de la loi au Bundestag",
        "Référence : directive (UE) 2019/1158 du 20 juin 2019",
        "Numéro : 112 pour les urgences en Europe",
        "Ambassade de France en Allemagne et ministère ont signé un accord.",
        "RP Bruxelles a transmis la directive.",
    ],
)
def test_a_sentence_says_nothing_of_the_note(line: str) -> None:
    found = _one(f"Titre du document\n\n{line}\n\n{TEXT}".encode(), "note.txt")
    assert dict(found.fields) == {}


def test_a_header_laid_out_as_a_table_is_read() -> None:
    rows = (("Objet :", "Réforme des retraites"), ("Date :", "3 mars 2024"))
    cells = "".join(
        "<w:tr>" + "".join(f"<w:tc>{paragraphs(cell)}</w:tc>" for cell in row) + "</w:tr>"
        for row in rows
    )
    found = _one(docx(f"<w:tbl>{cells}</w:tbl>{paragraphs(TEXT)}"), "note.docx")
    assert dict(found.fields) == {"subject": "Réforme des retraites", "date": "2024-03-03"}


def test_a_text_box_of_an_older_word_is_read() -> None:
    inside = f"<w:txbxContent>{paragraphs('Encadré')}</w:txbxContent>"
    box = f"<w:p><w:r><w:pict>{inside}</w:pict></w:r></w:p>"
    found = _one(docx(paragraphs("Titre") + box + paragraphs(TEXT)), "note.docx")
    assert found.body == f"Encadré\n\n{TEXT}"


def test_footnotes_and_endnotes_of_a_docx_are_kept_apart() -> None:
    def notes(kind: str, text: str) -> str:
        inside = f'<w:{kind} w:id="2">{paragraphs(text)}</w:{kind}>'
        return f'<w:{kind}s xmlns:w="{W}">{inside}</w:{kind}s>'

    calls = '<w:p><w:r><w:t>Un</w:t><w:footnoteReference w:id="2"/><w:t> deux</w:t>'
    body = f'{paragraphs("Titre")}{calls}<w:endnoteReference w:id="2"/></w:r></w:p>'
    more = {f"word__{kind}s.xml": notes(kind, kind) for kind in ("footnote", "endnote")}
    found = _one(docx(body, **more), "note.docx")
    assert found.body == "Un [1] deux [2]\n\n[1] footnote\n\n[2] endnote"


def _mail(*parts: tuple[str, str]) -> bytes:
    inside = "".join(f"--b\nContent-Type: {kind}\n\n{text}\n" for kind, text in parts)
    head = "Subject: Note\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
    return f"{head}{inside}--b--\n".encode()


def test_all_texts_of_a_mail_are_read_in_order() -> None:
    picture = ("image/png; name=i.png", "x")
    both = _mail(("text/plain", "Un."), picture, ("text/plain", "Deux."))
    assert _one(both, "m.eml").body == "Un.\n\nDeux."
    footer = _mail(("text/html", "<p>Le texte."), ("text/plain", "Pied de liste."))
    assert _one(footer, "m.eml").body == "Le texte.\n\nPied de liste."


def test_a_file_of_too_many_documents_is_read_up_to_the_limit() -> None:
    attached = {f"{number}.txt": b"Texte" for number in range(400)}
    found = extract(
        zipped({f"{number}.eml": eml("", "", attached) for number in range(6)}), "n.zip"
    )
    mails = {cover.name for each in found if isinstance(each, Document) for cover in each.covers}
    assert len(found) + len(mails) == documents.MOST_DOCUMENTS + 1
    assert isinstance(found[-1], Unreadable)
    assert found[-1].status == 413


def test_an_entry_that_lies_about_its_length_costs_itself_alone() -> None:
    data = bytearray(zipped({"a.txt": b"a" * 3_000_000, "b.txt": TEXT.encode()}))
    for sign, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.index(sign) + at
        data[start : start + 4] = (100).to_bytes(4, "little")
    lying, honest = extract(bytes(data), "n.zip")
    assert isinstance(lying, Unreadable)
    assert isinstance(honest, Document)
