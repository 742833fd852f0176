"""Where a country is named: menus, lists, headings, agreements, bodies, names that mislead."""

import pytest

from schemas.classification import CountryTag
from services.classify.countries import country_tags
from services.classify.matter import body_matter
from services.classify.ner import is_place
from services.classify.text import fold

ARTICLE = (
    "Le Parlement portugais a adopté la réforme des pensions. Au Portugal, l'âge légal suit "
    "l'espérance de vie. La ministre du Travail a défendu le texte devant les députés."
)


def found(subject: str, body: str = "", post: str | None = None) -> tuple[CountryTag, ...]:
    return country_tags(fold(subject), fold(body_matter(body)), post, is_place)


def about(subject: str, body: str = "", post: str | None = None) -> set[str]:
    return {tag.country for tag in found(subject, body, post) if tag.role == "about"}


def named(subject: str, body: str = "", post: str | None = None) -> set[str]:
    return {tag.country for tag in found(subject, body, post)}


MENU = "Accueil\nEspagne\nÉtats-Unis\nJapon\nContact\nÀ lire aussi\nLe Brésil vu d'en haut\n"


@pytest.mark.parametrize("page", [f"{MENU}\n{ARTICLE}", f"{ARTICLE}\n\n{MENU}"])
def test_a_menu_round_an_article_names_no_subject(page: str) -> None:
    assert about("Réforme des pensions", page) == {"PT"}


def test_a_menu_does_not_push_the_lead_away() -> None:
    menu = "\n".join(f"Rubrique numéro {number} du site" for number in range(30))
    body = f"{menu}\n\n{ARTICLE} {ARTICLE} En Grèce, la réforme de 2016 est appliquée."
    assert about("Pensions", body) == about("Pensions", body[len(menu) :]) == {"PT"}


def test_a_list_with_an_introduction_is_no_menu() -> None:
    text = "Les pays étudiés :\n- Espagne\n- Italie\n- Suède\n- Pologne\n"
    assert body_matter(text) == text


def test_one_line_has_no_menu() -> None:
    assert body_matter(ARTICLE) == ARTICLE


def test_a_country_in_a_long_enumeration_is_only_mentioned() -> None:
    body = (
        "La liste comprend le Bangladesh, la Colombie, l'Égypte, l'Inde, le Maroc et la Tunisie. "
        + ARTICLE
    )
    assert about("Pensions au Portugal", body) == {"PT"}
    assert {"BD", "CO", "EG", "IN", "MA", "TN"} <= named("Pensions au Portugal", body)


def test_the_headings_of_a_regional_note_are_subjects() -> None:
    text = "Le taux reste élevé et le dispositif a été réformé sans effet visible à ce jour. " * 4
    body = f"Trois remèdes.\n\nChili : {text}\n\nParaguay – {text}\n\nUruguay (24 %) {text}"
    assert about("Économie informelle dans le cône Sud", body) == {"CL", "PY", "UY"}


def test_all_parties_to_an_agreement_are_subjects() -> None:
    body = (
        "Accord entre le Gouvernement de la République française, le Gouvernement du Royaume de "
        "Belgique et le Gouvernement du Grand-Duché de Luxembourg, signé hier."
    )
    assert about("Accord sur les travailleurs frontaliers", body) == {"FR", "BE", "LU"}


def test_an_agreement_between_others_in_passing_makes_no_subject_of_france() -> None:
    body = f"{ARTICLE} {ARTICLE} Le texte cite la convention franco-marocaine de 2007."
    assert about("Convention Portugal–Brésil de sécurité sociale", body) == {"PT", "BR"}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Le consortium est dirigé par CARE France au Mali.", {"ML"}),
        ("SOS SAHEL International France appuie les producteurs de Kolda.", {"SN"}),
    ],
)
def test_the_french_part_of_a_body_makes_no_subject_of_france(
    sentence: str, expected: set[str]
) -> None:
    assert about("", sentence) == expected


def test_brussels_as_the_union_is_not_belgium() -> None:
    assert about("La Suède relève ses plafonds, Bruxelles s'en inquiète", "") == {"SE"}
    assert "BE" in about("Réforme des pensions à Bruxelles", "Le gouvernement belge a tranché.")


def test_a_multilateral_post_writes_of_no_country_by_default() -> None:
    body = (
        "À la demande de la Tunisie, le point est reporté. Le Comité a examiné le rapport et "
        "adopté ses conclusions."
    )
    assert about("Session du Comité", body, "new_york") == set()
    assert about("Tunisie : examen du rapport", body, "new_york") == {"TN"}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("L'agglomération de Tripoli, au Liban, et le port de Tripoli", {"LB"}),
        ("Le port de Tripoli et le gouvernement libyen", {"LY"}),
        ("Les agriculteurs de la province de Balé", set()),
        ("La vaccination contre la maladie de Newcastle", set()),
        ("Les usagers de la Haute-Vienne", set()),
        ("Programme d'accès aux réseaux intelligents (PARIS)", set()),
        ("Madame Sinaï-Bossou préside la séance", set()),
        ("Les règles de Bâle III s'appliquent", set()),
        ("Le pôle de Kédougou et l'hôpital de Tambacounda", {"SN"}),
        ("La région du Gorgol et les deux Hodhs", {"MR"}),
        ("Les hôpitaux du Minas Gerais", {"BR"}),
        ("La province du Shandong finance le fonds", {"CN"}),
        ("Le gouvernorat de Kasserine", {"TN"}),
        ("Les réfugiés rohingyas", {"MM"}),
    ],
)
def test_places_below_the_state_and_names_that_mislead(sentence: str, expected: set[str]) -> None:
    assert named("", f"{sentence}.") == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Le Department for Work and Pensions publie ses chiffres.", {"GB"}),
        ("Swissmedic a autorisé le vaccin.", {"CH"}),
        ("La Deutsche Rentenversicherung publie ses comptes.", {"DE"}),
        ("La CNSS a relevé les plafonds.", set()),
        ("Le deuxième pilier et le taux de conversion.", set()),
    ],
)
def test_an_institution_names_its_country_where_it_can_be_no_other(
    sentence: str, expected: set[str]
) -> None:
    assert named("", sentence) == expected


def test_an_institution_does_not_outweigh_the_country_that_the_note_names() -> None:
    body = (
        "La réforme marocaine s'inspire du National Health Service et de la Deutsche "
        "Rentenversicherung. Au Maroc, l'assurance maladie obligatoire est généralisée."
    )
    assert about("Maroc : généralisation de l'assurance maladie", body) == {"MA"}


def test_a_country_named_twice_in_a_breath_counts_once() -> None:
    body = f"{ARTICLE} {ARTICLE} Il a rencontré le président chinois Xi Jinping."
    assert about("Réforme des pensions", body) == {"PT"}


def test_every_passage_is_exact() -> None:
    body = f"{MENU}\n{ARTICLE}\n\nChili : les côtes de l'Équateur."
    for tag in found("Pensions", body):
        for one in tag.evidence:
            text = "Pensions" if one.field == "subject" else body
            assert text[one.start : one.end] == one.text
