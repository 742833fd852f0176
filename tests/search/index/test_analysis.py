"""French words: parted, folded and stemmed as a reader expects, and alike on both engines."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from elasticsearch import AsyncElasticsearch
from hypothesis import given
from hypothesis import strategies as st

from services.search.data import table
from services.search.index.analysis import (
    FRENCH,
    OTHER,
    STOP_WORDS,
    Chain,
    analysis_settings,
    article_length,
    fold,
    forms,
    says_something,
    words,
)
from services.search.index.embedded_query import stem
from tests.ingest.texts import ABROAD, SUBJECTS
from tests.search.index.corpus import ROWS

FAMILIES = [
    "emploi emplois", "loi lois", "salarié salariés salariée salariées", "retraite retraites",
    "infirmier infirmière infirmiers infirmières", "travailleur travailleuse travailleuses",
    "hôpital hôpitaux hopital", "national nationale nationaux", "chinois chinoise chinoises",
    "irlandais irlandaise irlandaises", "polonais polonaise", "européen européenne européennes",
    "turc turque", "grec grecque", "public publique publics", "revenu revenus", "euro euros",
    "enjeu enjeux", "genou genoux", "employé employée", "allemand allemande allemands",
    "assuré assurée assurés", "décès deces", "cœur coeur",
]  # fmt: skip
STRANGERS = [
    "palais pal", "hépatite hôpital", "retraite traité", "durée dur", "mai mais",
]  # fmt: skip


def stems(text: str) -> list[str]:
    return [stem(word.folded) for word in words(text)]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_forms_of_a_word_find_one_another(family: str) -> None:
    assert len(set(stems(family))) == 1


@pytest.mark.parametrize("pair", STRANGERS)
def test_words_that_look_alike_stay_apart(pair: str) -> None:
    assert len(set(stems(pair))) == 2


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("L’emploi d'aujourd’hui", "emploi aujourd'hui"),
        ("JUSQU'À l'Été", "à été"),
        ("santé\u202f; « travail »", "santé travail"),
        ("fin.Les caisses,puis", "fin les caisses puis"),
        ("BER-2026-0142", "ber 2026 0142"),
        ("12,5 % de 1\u202f000", "12 5 de 1 000"),
        ("50 m² et ½", "50 m et"),
        ("re\u00adforme", "reforme"),
        ("医保局", "医 保 局"),
        ("snake_case", "snake case"),
        ("R&D : 5 < 7", "r d 5 7"),
        ("presqu’île", "presqu'île"),
    ],
)
def test_a_text_is_parted_into_its_words(text: str, plain: str) -> None:
    assert forms(text)[0] == plain


def test_articles_are_not_part_of_what_is_marked() -> None:
    (first, second) = words("l’hôpital, d'Œuvre")
    assert (first.folded, first.start, first.end) == ("hopital", 2, 9)
    assert (second.folded, second.start, second.end) == ("oeuvre", 13, 18)
    assert article_length("qu’elle") == 3
    assert article_length("quelle") == 0
    assert article_length("…") == 0


@pytest.mark.parametrize("text", ["", "le", "L’", "de la", "?!", "l'", "L’un des", "…"])
def test_a_text_of_stop_words_says_nothing(text: str) -> None:
    assert not says_something(text)


@pytest.mark.parametrize("text", ["C", "sans", "contre", "12", "ONU", "l'an", "退"])
def test_a_short_word_can_say_something(text: str) -> None:
    assert says_something(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The pensions' reform isn't the WHO's", "the pensions reform isn t the who s"),
        ("Rente, Renten, Straße, Übergangsgeld", "rente renten strasse ubergangsgeld"),
        ("dell’assicurazione d'invalidità", "dell assicurazione d invalidita"),
        ("Jubilación: 12,5 % más", "jubilacion 12 5 mas"),
        ("Førtidspension på Åland", "fortidspension pa aland"),
        ("Пенсионная реформа.Новый", "пенсионная реформа новый"),
        ("إصلاحًا للتّـقاعد", "إصلاحا للتقاعد"),
        ("养老金2044年", "养 老 金 2044 年"),
    ],
)
def test_a_text_in_another_language_is_parted_and_folded_and_no_more(text: str, plain: str) -> None:
    assert forms(text, OTHER)[1] == plain


@pytest.mark.parametrize("text", ["sur", "les", "l'", "12"])
def test_in_another_language_every_word_says_something(text: str) -> None:
    assert says_something(text, OTHER)


@pytest.mark.parametrize("chain", [FRENCH, OTHER], ids=["french", "other"])
@given(text=st.text())
def test_every_word_stands_where_it_says(chain: Chain, text: str) -> None:
    standing = list(words(text, chain=chain))
    assert [word.folded for word in standing] == forms(text, chain)[1].split()
    assert len(forms(text, chain)[0].split()) == len(standing)
    ends = [0, *(word.end for word in standing)]
    for word, before in zip(standing, ends, strict=False):
        assert before <= word.start < word.end <= len(text)


@given(st.text())
def test_folding_twice_folds_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize("sign", ["(", "=", "l'", "e\u0301\u0302", "a", "a\u00ad", "a'", "退"])
def test_a_hostile_text_is_parted_at_once(sign: str) -> None:
    text = sign * (80_000 // len(sign))
    for chain in (FRENCH, OTHER):
        assert max((len(word) for word in forms(text, chain)[1].split()), default=0) < 25_000


def test_every_table_of_the_index_says_what_its_values_are_for() -> None:
    for name in ("analysis", "boosts", "elasticsearch"):
        rows = table(name)
        assert rows["provenance"]
        assert all(row["description"] for key, row in rows.items() if key != "provenance")
    assert all(row["because"] for row in table("analysis")["endings"]["values"])
    fields = table("fields")
    assert fields["provenance"]
    assert all(row["description"] for row in fields["kinds"].values())
    assert all(row["description"] for row in fields["fields"].values())
    assert {row["kind"] for row in fields["fields"].values()} == set(fields["kinds"])


def test_the_stems_given_to_elasticsearch_are_those_of_tantivy() -> None:
    for word, wanted in table("analysis")["stems"]["values"].items():
        assert stem(forms(word)[1]) == wanted, word


@pytest.mark.live
async def test_both_engines_make_the_same_words_of_a_text(engine: Callable[[str], str]) -> None:
    """Word by word and in its place: the stems that are indexed, and the accented forms."""
    exceptions = " ".join(table("analysis")["stems"]["values"])
    texts = [
        *(f"{row.subject} {row.body}" for row in ROWS), *FAMILIES, *STRANGERS, exceptions,
        "L’emploi d'aujourd’hui\u202f; 12,5 m² l'80 re\u00adforme fin.Les 医 İstanbul straße Łódź",
    ]  # fmt: skip
    name = f"test-{uuid4().hex}"
    async with AsyncElasticsearch(engine("ELASTICSEARCH")) as client:
        await client.indices.create(
            index=name, settings={"analysis": analysis_settings()}, mappings={"properties": {}}
        )
        try:
            for text in texts:
                answer = await client.indices.analyze(
                    index=name, analyzer="valise_stemmed", text=text
                )
                theirs = {token["position"]: token["token"] for token in answer["tokens"]}
                ours = {
                    place: stem(word.folded)
                    for place, word in enumerate(words(text))
                    if word.folded not in STOP_WORDS
                }
                assert theirs == ours
                answer = await client.indices.analyze(
                    index=name, analyzer="valise_exact", text=text
                )
                assert [token["token"] for token in answer["tokens"]] == forms(text)[0].split()
            for text in [*texts, *ABROAD.values(), *(subject for _, subject in SUBJECTS)]:
                answer = await client.indices.analyze(
                    index=name, analyzer="valise_other", text=text
                )
                theirs = {token["position"]: token["token"] for token in answer["tokens"]}
                assert theirs == dict(enumerate(forms(text, OTHER)[1].split()))
        finally:
            await client.indices.delete(index=name)
