"""Evidence: every tag shows passages that are exactly in the text, few and best first."""

import unicodedata
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from schemas.classification import Classification, Evidence
from services.classify.classifier import classify, classify_texts
from services.classify.evidence import MOST
from tests.builders import a_note

SENTENCES = st.sampled_from(
    [
        "L’assurance-maladie allemande rembourse les médicaments.",
        "Les œuvres sociales de la main-d'œuvre ﬁnlandaise.",
        "À Québec, la CNESST indemnise les accidents du travail.",
        "Contrairement à l'Espagne, l'OIT recommande…",
        "CONVENTION DE SECURITE SOCIALE FRANCE-MAROC",
        "Le sala-\nrié et la re-\ntraite.\n\n",
        "((((==== \u0301\u0301 \u200b",
    ]
)
FORMS = st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"])


def every(found: Classification) -> Iterator[Evidence]:
    """All evidence of all tags."""
    for tag in (*found.themes, *found.countries, *found.organisations):
        yield from tag.evidence


@given(st.lists(SENTENCES | st.text(max_size=20), max_size=8), FORMS)
def test_evidence_is_the_text_at_its_place_in_any_unicode_form(parts: list[str], form: str) -> None:
    body = unicodedata.normalize(form, " ".join(parts))  # type: ignore[arg-type]
    subject = unicodedata.normalize(form, parts[0] if parts else "")  # type: ignore[arg-type]
    found = classify_texts(subject, body)
    for one in every(found):
        text = subject if one.field == "subject" else body
        assert one.text == text[one.start : one.end]


def test_a_note_is_classified_with_its_posts_knowledge() -> None:
    found = classify(a_note())
    assert [tag.theme for tag in found.themes] == ["protection_sociale"]
    assert [(tag.country, tag.role) for tag in found.countries] == [("DE", "about")]
    sources = {one.source for one in every(found)}
    assert {"lexicon:protection_sociale.retraites", "gazetteer:people"} <= sources
    assert {source.partition(":")[0] for source in sources} <= {"lexicon", "model", "gazetteer"}


def test_evidence_is_capped_and_distinct_passages_come_first() -> None:
    body = "Les pensions. " * 50 + "La pension de réversion. Les fonds de pension."
    (tag,) = classify_texts("Retraites", body).themes
    texts = [one.text for one in tag.evidence]
    assert len(texts) == MOST
    assert texts[0] == "Retraites"
    assert {"pension de réversion", "fonds de pension"} <= set(texts[:4])


def test_every_tag_has_evidence() -> None:
    found = classify_texts("Retraites en Italie", "L'OIT et l'INPS italien.", "rome")
    tags = (*found.themes, *found.countries, *found.organisations)
    assert tags
    assert all(tag.evidence for tag in tags)


def test_the_same_note_gives_the_same_tags() -> None:
    assert classify(a_note()) == classify(a_note())
