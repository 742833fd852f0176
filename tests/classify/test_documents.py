"""Real documents of the field, read as they come."""

from pathlib import Path

import pytest

from schemas.classification import Classification
from services.classify.classifier import classify_texts
from services.runtime import text_files


@pytest.fixture
def tagged(shared_notes: Path, request: pytest.FixtureRequest) -> Classification:
    """The tags of the document with that number."""
    (path,) = shared_notes.glob(f"{request.param}_*.txt")
    text = text_files.parse(path.read_bytes())
    return classify_texts(text.subject, text.body, "bruxelles")


def themes(found: Classification) -> set[str]:
    return {tag.theme for tag in found.themes}


def countries(found: Classification) -> dict[str, str]:
    return {tag.country: tag.role.value for tag in found.countries}


@pytest.mark.parametrize("tagged", ["001"], indirect=True)
def test_recommendations_on_the_diplomatic_network_have_no_theme(tagged: Classification) -> None:
    assert themes(tagged) == set()


@pytest.mark.parametrize("tagged", ["002"], indirect=True)
def test_the_article_on_the_liaison_body_is_social_protection(tagged: Classification) -> None:
    assert themes(tagged) == {"protection_sociale"}
    assert "CLEISS" in {tag.id for tag in tagged.organisations}


@pytest.mark.parametrize("tagged", ["003"], indirect=True)
def test_the_interview_on_expertise_abroad(tagged: Classification) -> None:
    assert themes(tagged) == {"travail", "protection_sociale"}
    found = countries(tagged)
    assert {"PE", "CO"} <= set(found)
    assert found.get("ES") in (None, "mentioned")


@pytest.mark.parametrize("tagged", ["004"], indirect=True)
def test_the_long_report_on_cooperation(tagged: Classification) -> None:
    assert "protection_sociale" in themes(tagged)
    assert "retraites" in tagged.themes[0].subthemes
    assert {"MA", "ML"} <= set(countries(tagged))


@pytest.mark.parametrize("tagged", ["000", "001", "002", "003", "004"], indirect=True)
def test_no_document_is_about_spain(tagged: Classification) -> None:
    assert countries(tagged).get("ES") != "about"
