"""Themes and sub-themes: the borders between them, and words that only sound like one."""

import pytest

from schemas.classification import Classification
from services.classify.classifier import classify_texts


def tags(found: Classification) -> dict[str, set[str]]:
    """Themes with their sub-themes."""
    return {tag.theme: set(tag.subthemes) for tag in found.themes}


def test_a_pension_reform_is_social_protection() -> None:
    found = classify_texts(
        "Réforme des retraites : le rapport de la commission",
        "La commission propose de porter l'âge légal de départ à 68 ans et d'indexer les pensions.",
    )
    assert tags(found) == {"protection_sociale": {"retraites"}}


def test_health_and_safety_at_work_is_labour() -> None:
    found = tags(
        classify_texts(
            "Santé et sécurité au travail : le plan national",
            "Les employeurs devront évaluer les risques professionnels ; l'inspection du travail "
            "contrôlera.",
        )
    )
    assert set(found) == {"travail"}
    assert "sante_securite" in found["travail"]


def test_health_at_work_that_speaks_of_illness_is_health_too() -> None:
    found = tags(
        classify_texts(
            "Santé au travail et cancers professionnels",
            "La médecine du travail organise le dépistage des cancers ; les soins et le suivi "
            "médical des malades de l'amiante sont assurés à l'hôpital.",
        )
    )
    assert {"travail", "sante"} <= set(found)


def test_health_insurance_is_social_protection_alone() -> None:
    found = tags(
        classify_texts(
            "Assurance maladie : hausse des cotisations",
            "Les caisses d'assurance maladie relèvent leur taux de cotisation ; le déficit du "
            "régime atteint deux milliards.",
        )
    )
    assert set(found) == {"protection_sociale"}
    assert "assurance_maladie" in found["protection_sociale"]


def test_health_insurance_where_care_is_the_matter_is_health_too() -> None:
    found = tags(
        classify_texts(
            "Assurance maladie et accès aux soins dans les hôpitaux",
            "La caisse finance l'ouverture de lits de réanimation ; les médecins généralistes "
            "suivront les patients atteints de maladies chroniques.",
        )
    )
    assert set(found) == {"protection_sociale", "sante"}


def test_premiums_in_switzerland_are_social_protection_whatever_its_parliament_heads_them() -> None:
    found = tags(
        classify_texts(
            "Suisse : hausse des primes d'assurance-maladie",
            "Le Conseil fédéral annonce une hausse de 4,4 % des primes de l'assurance obligatoire "
            "des soins (LAMal). Les cantons relèveront leurs subsides. Le Parlement débat d'un "
            "plafond de 10 % du revenu.",
        )
    )
    assert "protection_sociale" in found


def test_aid_to_social_protection_is_not_health() -> None:
    found = tags(
        classify_texts(
            "Maroc : appui à la généralisation de la protection sociale",
            "L'AFD finance un programme d'appui budgétaire à la généralisation de la protection "
            "sociale. Le projet renforce la CNSS et l'extension des allocations familiales.",
        )
    )
    assert set(found) == {"protection_sociale"}


@pytest.mark.parametrize(
    ("subject", "theme"),
    [
        ("Occupation des lits dans les hôpitaux", "sante"),
        ("Vaccin contre la grippe saisonnière", "sante"),
        ("Déficit des caisses de maladie", "protection_sociale"),
    ],
)
def test_a_subject_alone_does_not_speak_for_the_neighbouring_theme(
    subject: str, theme: str
) -> None:
    assert set(tags(classify_texts(subject, ""))) == {theme}


def test_unemployment_insurance_is_labour_and_social_protection() -> None:
    found = tags(
        classify_texts(
            "Réforme de l'assurance chômage", "La durée d'indemnisation est ramenée à douze mois."
        )
    )
    assert found["travail"] == {"chomage"}
    assert found["protection_sociale"] == {"assurance_chomage"}


def test_accidents_at_work_are_social_protection_with_labour() -> None:
    found = tags(
        classify_texts(
            "Accidents du travail et maladies professionnelles : le bilan de la branche AT/MP",
            "Les rentes versées aux victimes d'accidents du travail augmentent.",
        )
    )
    assert "at_mp" in found["protection_sociale"]
    assert "sante_securite" in found["travail"]


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Groupe de travail n° 1", "Le document de travail sera revu en séance de travail."),
        ("Langue de travail", "L'anglais est la langue de travail du comité."),
        (
            "Visite de la ministre",
            "Elle était accompagnée du ministère du Travail, de la Santé et des Solidarités.",
        ),
        ("Sécurité informatique", "Un virus informatique a touché les postes."),
        ("Formation à la gestion de crise", "La formation à la gestion de crise des agents."),
        (
            "Effectifs des consulats",
            "En raison de la crise sanitaire, les agents sont restés bloqués ; une alerte "
            "sécurité, assurance santé et état civil sera ajoutée à l'application.",
        ),
        ("Pénurie d'eau", "La sécheresse menace les barrages et l'agriculture."),
        ("Reconnaissance mutuelle des diplômes d'architecte", "La reconnaissance mutuelle avance."),
        ("Copropriété", "Le syndicat des copropriétaires a voté les travaux."),
        ("", ""),
        ("Accord de coopération militaire", "Les deux ministres ont signé l'accord."),
    ],
)
def test_words_that_only_sound_like_a_theme_give_none(subject: str, body: str) -> None:
    assert tags(classify_texts(subject, body)) == {}


def test_a_passing_mention_in_a_long_note_makes_no_theme() -> None:
    mention = "Le ministre a aussi évoqué l'hôpital. "
    around = "Le budget des routes et des ponts a été adopté par le parlement en mars. "
    assert tags(classify_texts("Budget des transports", around * 60 + mention + around * 60)) == {}
    assert "sante" in tags(classify_texts("L'hôpital", mention * 3))


@pytest.mark.parametrize(
    ("subject", "theme"),
    [
        ("La 13e rente AVS soumise au vote", "protection_sociale"),
        ("Le NHS et ses listes d'attente", "sante"),
        ("Medicare et Medicaid : les coupes", "protection_sociale"),
        ("Le Bürgergeld remplacé", "protection_sociale"),
        ("Kurzarbeit : le retour du chômage partiel", "travail"),
        ("La CNSS étend sa couverture", "protection_sociale"),
        ("Les travailleurs des plateformes et la loi Rider", "travail"),
        ("Négociation collective dans la métallurgie", "travail"),
        ("Pénurie de médicaments", "sante"),
        ("Télémédecine et dossier médical électronique", "sante"),
        ("La dépendance des personnes âgées", "protection_sociale"),
        ("Le travail des enfants dans les plantations", "travail"),
    ],
)
def test_a_reader_finds_schemes_and_matters_by_their_names(subject: str, theme: str) -> None:
    assert theme in tags(classify_texts(subject, f"{subject}."))


def test_capitals_without_accents_are_read() -> None:
    found = tags(classify_texts("CONVENTION DE SECURITE SOCIALE AVEC LE CONGO", ""))
    assert "coordination" in found["protection_sociale"]


def test_a_word_broken_at_the_end_of_a_line_is_read() -> None:
    body = "Le régime d'assu-\nrance maladie et les caisses de re-\ntraite des sala-\nriés."
    found = classify_texts("", body * 3)
    texts = {one.text for tag in found.themes for one in tag.evidence}
    assert "régime d'assu-\nrance maladie" in texts


def test_scores_are_probabilities_and_the_likeliest_theme_comes_first() -> None:
    found = classify_texts(
        "Réforme des retraites et emploi des seniors",
        "Le départ à la retraite est retardé ; les pensions baissent ; l'emploi des seniors monte.",
    )
    scores = [tag.score for tag in found.themes]
    assert scores == sorted(scores, reverse=True)
    assert all(0.5 <= score < 1 for score in scores)


def test_the_same_acronym_in_small_letters_is_another_word() -> None:
    assert tags(classify_texts("Le sept du mois", "ils ont dit : as, apa, cse, rsa")) == {}
