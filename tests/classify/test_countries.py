"""Countries: what a note is about, what it only mentions, and names that mislead."""

import re
import unicodedata

import pytest

from schemas.vocabulary import countries
from services.classify.classifier import classify_texts


def about(subject: str, body: str = "", post: str | None = None) -> set[str]:
    """The countries that such a note is about."""
    found = classify_texts(subject, body, post).countries
    return {tag.country for tag in found if tag.role == "about"}


def named(subject: str, body: str = "", post: str | None = None) -> set[str]:
    """All countries found in such a note."""
    return {tag.country for tag in classify_texts(subject, body, post).countries}


@pytest.mark.parametrize(
    ("sentence", "country"),
    [
        ("Le Royaume-Uni réforme ses hôpitaux", "GB"),
        ("La Grande-Bretagne réforme ses hôpitaux", "GB"),
        ("L'Angleterre réforme ses hôpitaux", "GB"),
        ("La Birmanie et ses travailleurs migrants", "MM"),
        ("Le gouvernement ivoirien étend la couverture maladie", "CI"),
        ("La Côte d’Ivoire étend la couverture maladie", "CI"),
        ("Les Pays-Bas relèvent l'âge de la retraite", "NL"),
        ("La Hollande relève l'âge de la retraite", "NL"),
        ("Les Etats-Unis et l'assurance santé", "US"),
        ("LES ÉTATS-UNIS ET L'ASSURANCE SANTÉ", "US"),
        ("Berlin a annoncé une réforme du Bürgergeld", "DE"),
        ("La RFA et ses retraites", "DE"),
        ("Pékin relève l'âge de départ", "CN"),
        ("La Caisse malienne de sécurité sociale", "ML"),
        ("Les syndicats grecs appellent à la grève", "GR"),
        ("Les autorités turques publient un décret", "TR"),
        ("Les assurés suisses votent sur la 13e rente", "CH"),
        ("La diète polonaise vote le budget", "PL"),
        ("Le Kosovo adopte un code du travail", "XK"),
        ("Les salariés néo-zélandais", "NZ"),
        ("Le ministère allemand des Affaires sociales", "DE"),
    ],
)
def test_a_reader_finds_a_country_under_each_of_its_names(sentence: str, country: str) -> None:
    assert about(sentence, f"{sentence}.") == {country}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Le Niger adopte une loi", {"NE"}),
        ("Le Nigeria adopte une loi", {"NG"}),
        ("Le Nigéria adopte une loi", {"NG"}),
        ("Les travailleurs nigériens", {"NE"}),
        ("Les travailleurs nigérians", {"NG"}),
        ("La Guinée adopte une loi", {"GN"}),
        ("La Guinée-Bissau adopte une loi", {"GW"}),
        ("La Guinée équatoriale adopte une loi", {"GQ"}),
        ("La République de Guinée équatoriale adopte une loi", {"GQ"}),
        ("La Papouasie-Nouvelle-Guinée adopte une loi", {"PG"}),
        ("Le golfe de Guinée", set()),
        ("Le Congo adopte une loi", {"CG"}),
        ("Le Congo-Brazzaville adopte une loi", {"CG"}),
        ("La République démocratique du Congo adopte une loi", {"CD"}),
        ("La RDC et la justice congolaise ; le Congo adopte une loi à Kinshasa", {"CD"}),
        ("La Corée du Sud adopte une loi", {"KR"}),
        ("La Corée du Nord adopte une loi", {"KP"}),
        ("La Corée adopte une loi", {"KR"}),
        ("Les dirigeants nord-coréens", {"KP"}),
        ("La République dominicaine adopte une loi", {"DO"}),
        ("Saint-Domingue adopte une loi", {"DO"}),
        ("Le Commonwealth de la Dominique adopte une loi", {"DM"}),
        ("El Salvador adopte une loi", {"SV"}),
        ("Le Salvador adopte une loi", {"SV"}),
        ("Salvador de Bahia et ses hôpitaux", {"BR"}),
        ("Le Soudan du Sud adopte une loi", {"SS"}),
        ("L'Irlande du Nord adopte une loi", {"GB"}),
        ("L'île Maurice adopte une loi", {"MU"}),
        ("Maurice : la réforme des pensions", {"MU"}),
        ("La Jordanie adopte une loi", {"JO"}),
    ],
)
def test_homonyms_go_to_the_right_country(sentence: str, expected: set[str]) -> None:
    assert named(sentence, f"{sentence}.") == expected


@pytest.mark.parametrize(
    "sentence",
    [
        "Les machines et la mécanisation de l'agriculture",
        "Une normalisation, un roman, une formalité, un animal malin",
        "Maurice Dupont a été nommé directeur de la caisse",
        "Notre collègue Maurice a rejoint la direction",
        "Notre collègue Virginie a rejoint Florence et Sofia Petrova",
        "Dominique Martin présidera la séance",
        "Jordan Lefèvre est le nouveau délégué syndical",
        "Il a commandé un cocktail Cuba libre",
        "Le siège est au 12, rue de Londres",
        "Le traité de Rome et la convention de Genève restent en vigueur",
        "Les accords de Marrakech et la charte d'Ottawa",
        "Le programme Bridging the Gap a commencé",
        "Des stylos « Chine » ont été distribués aux participants",
        "La réunion s'est tenue hier",
        "L'enseignement de l'anglais et de l'allemand",
        "Le rapport est disponible en espagnol",
        "Une tumeur bénigne et un cas bénin",
        "Un prix de dix francs suisses",
        "Le groupe de travail a remis ses conclusions",
    ],
)
def test_a_name_that_misleads_gives_no_country(sentence: str) -> None:
    assert named(sentence, f"{sentence}.") == set()


def test_an_english_street_does_not_hide_the_country_beside_it() -> None:
    assert about("", "Rue de Londres, l'ambassade du Liban a reçu la ministre libanaise.") == {"LB"}


def test_liban_is_a_country_and_not_a_trap() -> None:
    assert about("Liban : la caisse nationale de sécurité sociale au bord de la faillite") == {"LB"}


@pytest.mark.parametrize(
    ("body", "country", "region"),
    [
        ("La Géorgie adopte un code du travail à Tbilissi.", "GE", None),
        ("Le Texas, la Floride et la Géorgie ont refusé l'extension de Medicaid.", "US", "Géorgie"),
    ],
)
def test_georgia_is_the_country_or_the_state(body: str, country: str, region: str | None) -> None:
    tag = next(tag for tag in classify_texts("", body).countries if tag.country == country)
    georgia = next(one for one in tag.evidence if one.text == "Géorgie")
    assert georgia.region == region


@pytest.mark.parametrize(
    ("sentence", "country", "region"),
    [
        ("Le Québec réforme la garde d'enfants", "CA", "Québec"),
        ("L'Écosse réforme ses hôpitaux", "GB", "Écosse"),
        ("Le gouvernement flamand réforme ses hôpitaux", "BE", "Flandre"),
        ("La Catalogne réforme ses hôpitaux", "ES", "Catalogne"),
        ("La Bavière réforme ses hôpitaux", "DE", "Bavière"),
        ("La Lombardie réforme ses hôpitaux", "IT", "Lombardie"),
        ("La Californie réforme ses hôpitaux", "US", "Californie"),
    ],
)
def test_a_region_is_kept_beside_its_country(sentence: str, country: str, region: str) -> None:
    (tag,) = classify_texts(sentence, "").countries
    assert (tag.country, tag.evidence[0].region) == (country, region)


@pytest.mark.parametrize(
    "comparison",
    [
        "Contrairement à l'Espagne, le pays indexe les pensions.",
        "Le taux est élevé par rapport à l'Espagne.",
        "Comme en Espagne, le pays indexe les pensions.",
        "À l'instar de l'Espagne, le pays indexe les pensions.",
    ],
)
def test_a_country_only_compared_with_is_mentioned(comparison: str) -> None:
    body = (
        f"Le gouvernement italien présente sa réforme. L'Italie dépense 16 % du PIB. {comparison}"
    )
    assert about("Retraites : la réforme italienne", body) == {"IT"}
    assert named("Retraites : la réforme italienne", body) == {"IT", "ES"}


def test_france_as_the_point_of_comparison_is_mentioned() -> None:
    body = (
        "Le système suédois repose sur des comptes notionnels. En Suède, les pensions suivent les "
        "salaires. La France pourrait s'en inspirer ; les autorités françaises suivent le dossier."
    )
    assert about("La réforme des retraites en Suède", body) == {"SE"}
    assert "FR" in named("La réforme des retraites en Suède", body)


def test_france_as_a_party_to_an_agreement_is_a_subject() -> None:
    body = "Accord entre la France et l'Uruguay en matière de sécurité sociale, signé hier."
    assert about("Accord de sécurité sociale", body) == {"FR", "UY"}
    assert about("Convention franco-tunisienne de sécurité sociale") == {"FR", "TN"}


def test_a_partner_body_only_mentions_its_country() -> None:
    body = (
        "Le projet appuie le service public de l'emploi péruvien. Au Pérou, trois régions sont "
        "concernées. Parmi les partenaires : le SEPE en Espagne, l'agence suédoise (Sida)."
    )
    assert about("Emplois verts au Pérou", body) == {"PE"}
    assert named("Emplois verts au Pérou", body) == {"PE", "ES", "SE"}


def test_a_post_weighs_for_the_countries_it_covers() -> None:
    body = "La Slovénie et la Croatie comparent leurs régimes. " + "Le régime est étudié. " * 60
    subject = "Comparaison des régimes"
    unknown = {tag.country: tag.score for tag in classify_texts(subject, body).countries}
    from_rome = classify_texts(subject, body, "rome").countries
    assert from_rome[0].country == "SI"
    assert unknown.keys() == {tag.country for tag in from_rome}
    assert about(subject, body, "rome") >= about(subject, body)


def test_an_acronym_alone_makes_no_country_unless_the_post_covers_it() -> None:
    body = "L'INPS a publié ses comptes."
    assert named("", body) == set()
    assert named("", body, "rome") == {"IT"}


def test_a_seat_of_international_bodies_is_no_subject() -> None:
    body = "La Conférence internationale du travail s'est ouverte à Genève, au siège de l'OIT."
    assert named("Ouverture de la Conférence", body, "geneve") == set()
    body = "À Bruxelles, la Commission européenne a présenté sa proposition."
    assert named("Proposition de la Commission", body, "bruxelles") == set()


def test_several_countries_can_be_subjects() -> None:
    body = "La Suède, la Finlande et le Danemark ont signé un accord sur les travailleurs mobiles."
    assert about("Pays nordiques : un accord", body) == {"SE", "FI", "DK"}


def test_a_note_in_decomposed_unicode_gives_the_same_countries() -> None:
    subject, body = "Réforme en Corée du Sud", "Les salariés coréens et la Côte d’Ivoire."
    decomposed = classify_texts(
        unicodedata.normalize("NFD", subject), unicodedata.normalize("NFD", body)
    )
    plain = classify_texts(subject, body)
    assert [(tag.country, tag.role, tag.score) for tag in decomposed.countries] == [
        (tag.country, tag.role, tag.score) for tag in plain.countries
    ]


UNWRITTEN = re.compile(
    "AQ|BQ|BV|CC|CG|CD|CX|DM|GS|HK|HM|IO|MF|MM|MO|MU|NF|PN|PS|RE|SH|SJ|SV|SX|TC|TF|TK|UM|XK"
)
"""Their short names on the pages are not how notes write them; those in use are tested above."""


@pytest.mark.parametrize("code", [code for code in countries() if not UNWRITTEN.match(code)])
def test_every_country_is_found_under_the_name_that_readers_see(code: str) -> None:
    assert code in named("", f"Une mission a eu lieu : {countries()[code]}. Elle est terminée.")
