"""The gazetteer: every country of ISO 3166 under its names, its inhabitants in all four forms."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pycountry
import pytest

from schemas.vocabulary import countries
from services.classify.gazetteer import bodies, gazetteer
from services.classify.inflect import people_forms
from services.classify.tables import items, rows
from services.classify.text import fold, fold_term

PUBLIC = Path(__file__).resolve().parents[3] / "shared" / "data" / "gazetteers"
"""Other people's tables, beside the checkout: they serve to check and are no part of it."""

NOT_OURS = frozenset(
    {
        "congolais", "congolaise",  # two states share them: tested with the homonyms
        "francais", "francaise", "neerlandais", "neerlandaise",  # of territories: their state's
        "vatican", "vaticane", "americain", "americaine", "samoan", "american", "samoane",
        "antarcticain", "antarcticaine", "saint martinois", "saint martinoise",
        "pitcairnais", "pitcairnaise", "malouin", "malouinne",  # malouin: of Saint-Malo
    }
)  # fmt: skip


def named(words: str) -> set[str]:
    """The countries that the gazetteer knows in some words."""
    return {match.term.meaning.country for match in gazetteer().find(fold(words))}


def test_every_country_of_iso_3166_has_a_name_in_the_gazetteer() -> None:
    known = {term.meaning.country for found in gazetteer()._terms.values() for term in found}
    codes = {country.alpha_2 for country in pycountry.countries}
    assert codes - set(countries()) == set()
    assert codes - known == set()


def pairs() -> Iterator[tuple[str, str]]:
    for table in ("countries.txt", "regions.txt"):
        for row in rows(table):
            for pair in items(row["people"]):
                yield row["code"], pair.lstrip("?")


@pytest.mark.parametrize(("code", "pair"), list(pairs()))
def test_inhabitants_are_known_in_all_four_forms(code: str, pair: str) -> None:
    masculine, feminine = pair.split(" ")
    for form in people_forms(pair):
        assert code in named(form) | named(form.capitalize()), form
    assert {fold_term(masculine), fold_term(feminine)} <= set(map(fold_term, people_forms(pair)))


def mledoze() -> list[dict[str, str]]:
    path = PUBLIC / "mledoze_fr.tsv"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_the_inhabitants_of_a_public_table_are_known() -> None:
    missing = [
        (row["cca2"], word)
        for row in mledoze()
        for column in ("gentile_m", "gentile_f")
        for word in re.split(r",| et |-et-", row[column])
        if word.strip()
        and fold_term(word) not in NOT_OURS
        and row["cca2"] not in named(word.strip()) | named(word.strip().lower())
    ]
    assert missing == []


def test_the_common_names_of_a_public_table_are_known() -> None:
    rare = {"AX", "BQ", "RE", "SH", "SJ", "SX", "TF"}
    missing = [
        (row["cca2"], row["commun_fr"])
        for row in mledoze()
        if row["cca2"] not in rare
        and row["cca2"] not in named(row["commun_fr"][:1].upper() + row["commun_fr"][1:])
    ]
    # "(Rép. dém.)" and the English name of an island are not how notes write them.
    assert {code for code, _ in missing} <= {"CD", "IM", "VG"}


def test_the_names_of_cldr_are_known() -> None:
    path = PUBLIC / "cldr_fr_territories.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    names = json.loads(path.read_text(encoding="utf-8"))
    missing = {
        code for code, name in names.items() if code in countries() and code not in named(name)
    }
    assert missing <= {"RE", "SX", "TF"}


def test_a_body_of_several_countries_makes_none_by_itself() -> None:
    for match in bodies().find(fold("La CNSS, l'INSS, le Medicare et la Child Support Agency")):
        assert match.term.meaning.acronym


def test_a_common_noun_makes_no_country_by_itself() -> None:
    alone = [
        term.surface
        for found in bodies()._terms.values()
        for term in found
        if not term.meaning.acronym and not any(char.isupper() for char in term.surface)
    ]
    assert alone == []
