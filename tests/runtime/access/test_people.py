"""The mapping file: whom it gives what, and that a wrong one is told."""

import json
import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.access import Person, Role
from schemas.query import Reader
from schemas.vocabulary import Marking
from services.runtime.access.people import People, Rule, parsed, rights_of
from services.runtime.errors import Misconfigured

SIRET, OTHER_SIRET = "13001653800014", "11000201100044"
IDP = "71144ab3-ee1a-4401-b7b3-79b44f7daeeb"

RULES = parsed(f"""
[[people]]
siret = "{SIRET}"
roles = ["read"]

[[people]]
siret = "{SIRET}"
domain = "Sante.gouv.fr"
roles = ["read"]
clearance = "diffusion_restreinte"

[[people]]
siret = "{SIRET}"
email = "camille.lemaire@sante.gouv.fr"
roles = ["read", "submit", "administer"]
posts = ["berlin"]
clearance = "diffusion_restreinte"
special_france = true

[[people]]
siret = "{SIRET}"
email = "parti@sante.gouv.fr"
roles = []

[[people]]
idp = "{IDP}"
roles = ["read"]
special_france = true
""")


def somebody(**claims: str) -> Person:
    """A person of the ministry; claims can be others."""
    known = {"sub": "s", "email": "a@sante.gouv.fr", "siret": SIRET, "idp_id": "annuaire"}
    return Person.model_validate(known | claims)


def reads(**claims: str) -> Reader | None:
    """What somebody may read by these rules."""
    rights = rights_of(somebody(**claims), RULES)
    return None if rights is None else rights.reader("x")


def test_nobody_has_rights_by_default() -> None:
    assert rights_of(somebody(), ()) is None
    assert reads(siret=OTHER_SIRET) is None
    assert reads(siret="", email="") is None


def test_the_most_specific_rule_wins() -> None:
    rights = rights_of(somebody(email="camille.lemaire@sante.gouv.fr"), RULES)
    assert rights is not None
    assert rights.roles == frozenset(Role)
    assert rights.posts == {"berlin"}
    assert rights.special_france
    by_domain, by_siret = reads(), reads(email="a@travail.gouv.fr")
    assert by_domain is not None
    assert by_siret is not None
    assert Marking.DIFFUSION_RESTREINTE in by_domain.markings
    assert not by_domain.special_france
    assert by_siret.markings == {Marking.NON_PROTEGE}
    # By the establishment rather than by the directory, where both are known.
    both = reads(email="a@travail.gouv.fr", idp_id=IDP)
    assert both == by_siret
    elsewhere = reads(siret=OTHER_SIRET, idp_id=IDP)
    assert elsewhere is not None
    assert elsewhere.special_france


def test_an_exception_takes_rights_away() -> None:
    assert reads(email="parti@sante.gouv.fr") is None


def test_an_address_is_believed_of_its_organisation_alone() -> None:
    assert reads(email="camille.lemaire@sante.gouv.fr", siret=OTHER_SIRET) is None


@pytest.mark.parametrize(
    "email",
    [
        "CAMILLE.LEMAIRE@SANTE.GOUV.FR",
        "Camille.Lemaire@sante.gouv.fr",
    ],
)
def test_case_does_not_count_in_addresses(email: str) -> None:
    rights = rights_of(somebody(email=email), RULES)
    assert rights is not None
    assert Role.ADMINISTER in rights.roles


@pytest.mark.parametrize(
    "email",
    [
        "camille.lemaire@sante.gouv.fr.exemple.fr",
        "camille.lemaire@exemple.fr@sante.gouv.fr.",
        "camille.lemaire@xsante.gouv.fr",
        "camille.lemaire@a.sante.gouv.fr",
        " camille.lemaire@sante.gouv.fr",
        "camille.lemaire@sante.gouv.fr\n",
        "camille.lemaıre@sante.gouv.fr",
        "camille.lemaire@ſante.gouv.fr",
        "сamille.lemaire@sante.gouv.fr",
        "sante.gouv.fr",
        "",
    ],
)
def test_an_address_that_only_looks_alike_is_another(email: str) -> None:
    rights = rights_of(somebody(email=email), RULES)
    assert rights is not None, "known by the establishment alone"
    assert Role.ADMINISTER not in rights.roles


@given(st.permutations(RULES))
def test_the_order_of_the_file_does_not_count(rules: list[Rule]) -> None:
    for email in ("camille.lemaire@sante.gouv.fr", "parti@sante.gouv.fr", "a@sante.gouv.fr", ""):
        for idp in (IDP, "annuaire"):
            person = somebody(email=email, idp_id=idp)
            assert rights_of(person, rules) == rights_of(person, RULES)


def test_the_same_can_be_written_in_json() -> None:
    given = {"people": [{"siret": SIRET, "roles": ["read"], "clearance": "diffusion_restreinte"}]}
    (rule,) = parsed(json.dumps(given), as_json=True)
    assert rule.roles == {Role.READ}
    assert rule.clearance == Marking.DIFFUSION_RESTREINTE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("people = 1", "people"),
        ("[[people]]\nroles = ['read']", "siret ou idp manque"),
        ("[[people]]\nemail = 'a@b.fr'\nroles = ['read']", "siret ou idp manque"),
        (f"[[people]]\nsiret = '{SIRET}'", "people.1.roles"),
        (f"[[people]]\nsiret = '{SIRET}'\nroles = ['lire']", "people.1.roles"),
        ("[[people]]\nsiret = '130 016 538'\nroles = ['read']", "people.1.siret"),
        (f"[[people]]\nsiret = '{SIRET}'\nroles = ['read']\nclearence = 'x'", "clearence"),
        (f"[[people]]\nsiret = '{SIRET}'\nroles = ['submit']", "people.1"),
        (f"[[people]]\nsiret = '{SIRET}'\nroles = ['read']\nposts = ['berlin']", "people.1"),
        (f"[[people]]\nsiret = '{SIRET}'\nroles = ['submit']\nposts = ['lune']", "lune"),
        (f"[[people]]\nsiret = '{SIRET}'\nemail = 'é@b.fr'\nroles = ['read']", "people.1.email"),
        (f"[[people]]\nsiret = '{SIRET}'\ndomain = '@b.fr'\nroles = ['read']", "people.1"),
        (f"[[people]]\nsiret = '{SIRET}'\nroles = ['read']\n" * 2, "people.2 : désigne les mêmes"),
        ("[[people]", "line 1"),
        ("people = " + "[" * 5_000, ""),
    ],
)
def test_a_wrong_file_is_told_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "people.toml"
    file.write_text(text)
    with pytest.raises(Misconfigured) as told:
        People(file)
    assert said in str(told.value)
    assert str(file) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="VALISE_PEOPLE"):
        People(tmp_path / "absent.toml")
    (tmp_path / "octets.toml").write_bytes(b"\xff")
    with pytest.raises(Misconfigured, match="VALISE_PEOPLE"):
        People(tmp_path / "octets.toml")


def test_without_a_file_nobody_has_rights() -> None:
    assert People(None).caller(somebody()) is None


def test_a_change_is_taken_at_once_and_a_wrong_one_not_at_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "people.toml"
    file.write_text(f"[[people]]\nsiret = '{SIRET}'\nroles = ['read']\n")
    people = People(file)
    known = people.caller(somebody(given_name="Camille", usual_name="Lemaire"))
    assert known is not None
    assert (known.id, known.name, known.roles) == ("person:s", "Camille Lemaire", {Role.READ})

    file.write_text("[[people]")
    for _ in range(3):
        assert people.caller(somebody()) is not None
    assert caplog.text.count("not taken") == 1
    file.unlink()
    assert people.caller(somebody()) is not None

    # As editors and orchestrators write: another file under the same name.
    beside = tmp_path / "new"
    beside.write_text(f"[[people]]\nsiret = '{OTHER_SIRET}'\nroles = ['read']\n")
    os.replace(beside, file)  # noqa: PTH105
    assert people.caller(somebody()) is None
    assert people.caller(somebody(siret=OTHER_SIRET)) is not None
