"""Marks within a text: the forms that officials write, and the ordinary words that look like them.

In the tables the passage that is expected stands between `‹` and `›`.
"""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.marks import NONE, STRICTEST, Level, Marks
from schemas.note import normalise_text
from schemas.vocabulary import Marking
from services.runtime import marks
from services.runtime.marked_passages import MOST_LINES, MOST_SIGNS, beside, look
from services.runtime.marks import Text

DR = Marks(Marking.DIFFUSION_RESTREINTE)
SF = Marks(special_france=True)
BOTH = STRICTEST
OPEN = "Le gouvernement a présenté sa réforme devant le Parlement, qui la débattra cet été."
SAID = "le ministre a confié que la coalition cèdera sur l’âge légal"


def of_note(subject: str, body: str) -> Marks:
    """The marks of the whole note, by both ways of looking."""
    told = marks.found(Text(subject, head=True), Text(body)) | look(subject, body).of_the_whole
    return Marks(told.marking, told.special_france, told.classified, told.levels)


FIRST_LINES = [
    ("DR", DR),
    ("SF", SF),
    ("D.R.", DR),
    ("[DR]", DR),
    ("(SF)", SF),
    ("« DR »", DR),
    ("*** DR ***", DR),
    ("DR-SF", BOTH),
    ("DR SF", BOTH),
    ("DR/SF", BOTH),
    ("DR – SF", BOTH),
    ("DR + SF", BOTH),
    ("SF/DR", BOTH),
    ("(DR/SF)", BOTH),
    ("DR et SF", BOTH),
    ("DR / SPÉCIAL FRANCE", BOTH),
    ("diffusion restreinte", DR),
    ("spécial france", SF),
    ("Spécial-France", SF),
    ("DIFFUSION LIMITEE", DR),
    ("DIFFUSION\u00a0RESTREINTE", DR),
    ("D I F F U S I O N   R E S T R E I N T E", DR),
    ("NOTE DR", DR),
    ("Télégramme à diffusion restreinte", DR),
    ("À diffusion restreinte", DR),
    ("Note confidentielle", BOTH),
    ("CONFIDENTIEL DIPLOMATIE", BOTH),
    ("CONFIDENTIEL DIPLOMATIE – SPÉCIAL FRANCE", BOTH),
    ("Confidentiel", BOTH),
    ("CONFIDENTIEL MÉDICAL", BOTH),
    ("RESTREINT", BOTH),
    ("LIMITE", DR),
    ("Diffusion restreinte aux seuls services de l’État.", DR),
]


@pytest.mark.parametrize(("line", "expected"), FIRST_LINES)
def test_a_first_line_is_worth_the_whole_note(line: str, expected: Marks) -> None:
    assert of_note("Note du poste", f"{line}\n\n{OPEN}\n\n{OPEN}") == expected


TITLES = [
    ("Négociation (DR)", DR),
    ("Négociation [SF]", SF),
    ("Négociation – DR", DR),
    ("Négociation / DR", DR),
    ("Négociation (diffusion restreinte)", DR),
    ("Négociation – Diffusion restreinte", DR),
    ("Négociation, diffusion restreinte", DR),
    ("Négociation (Confidentiel diplomatie)", BOTH),
    ("[SF] Négociation", SF),
    ("SF – Négociation", SF),
    ("DR : négociation", DR),
    ("Spécial France – négociation", SF),
    ("Mission DR/SF de Berlin", BOTH),
    ("Négociation DR-SF", BOTH),
    ("Négociation DR", DR),
    ("Négociation *DR*", DR),
    ("!!! SF !!! négociation", SF),
    ("Note DR du poste", DR),
    ("ST 12345/26 LIMITE", DR),
    ("DIFFUSION RESTREINTE - SPÉCIAL FRANCE – mission de Berlin", BOTH),
    ("[Spécial France] [DR] mission", BOTH),
    ("TR : [DR] négociation", DR),
    ("LIMITE – négociation", DR),
]


@pytest.mark.parametrize(("title", "expected"), TITLES)
def test_a_title_is_worth_the_whole_note_as_a_subject_and_at_the_head_of_the_text(
    title: str, expected: Marks
) -> None:
    assert of_note(title, OPEN) == expected
    assert of_note("Note du poste", f"{title}\n\n{OPEN}\n\n{OPEN}") == expected
    assert beside(title) | marks.found(Text(title, head=True)) == expected


SENTENCES = [
    ("Ce document est à diffusion restreinte.", DR),
    ("La présente note est Spécial France.", SF),
    ("Cette note est classée Diffusion Restreinte.", DR),
    ("Attention : le présent télégramme est en diffusion restreinte.", DR),
    ("Ce document porte la mention « Spécial France ».", SF),
    ("La présente fiche, à diffusion restreinte, est destinée au cabinet.", DR),
    ("Ce message est DR.", DR),
    ("Ce document est protégé par la mention DR-SF.", BOTH),
    ("Ce document est confidentiel.", BOTH),
    ("Cette note relève du Spécial France.", SF),
    ("Merci de traiter cette note en diffusion restreinte.", DR),
    ("La diffusion de la présente note est restreinte aux agents habilités.", DR),
    ("Les paragraphes 3 à 5 sont Spécial France.", SF),
    ("Les informations qui suivent sont Spécial France.", SF),
]


@pytest.mark.parametrize(("sentence", "expected"), SENTENCES)
def test_a_sentence_on_the_document_is_worth_the_whole_note(sentence: str, expected: Marks) -> None:
    assert of_note("Note du poste", f"{OPEN}\n\n{OPEN} {sentence}\n\n{OPEN}") == expected


PASSAGES = [
    # before a paragraph
    (f"2. ‹[Spécial France] {SAID}.›\n3. Suite.", SF),
    (f"‹(SF) {SAID}.›\n\n{OPEN}", SF),
    (f"‹Spécial France : {SAID}.›\n\n{OPEN}", SF),
    (f"‹DR – {SAID}.›\n\n{OPEN}", DR),
    (f"- ‹[DR] {SAID}.›\n- Suite.", DR),
    (f"• Premier point ;\n• ‹(DR) {SAID} ;›\n• troisième point.", DR),
    (f"- premier point\n- ‹[SF] {SAID}›\n- troisième point", SF),
    (f"b) ‹(DR-SF) {SAID}.›\nc) Suite.", BOTH),
    (f"3.1 ‹[SF] {SAID},\nqui va à la ligne.›\n\n{OPEN}", SF),
    (f"IV. ‹{{SF}} {SAID}.›\n\n{OPEN}", SF),
    (f"‹<DR> {SAID}.›\n\n{OPEN}", DR),
    (f"**‹Spécial France :** {SAID}.›\n\n{OPEN}", SF),
    (f"> ‹[SF] {SAID}.›\n\n{OPEN}", SF),
    (f"‹SPÉCIAL FRANCE Le {SAID}.›\n\n{OPEN}", SF),
    (f"‹Spécial France. Le {SAID}.›\n\n{OPEN}", SF),
    (f"‹S P É C I A L   F R A N C E : {SAID}.›\n\n{OPEN}", SF),
    (f"‹SPE\u0301CIAL\u202fFRANCE\u00a0– {SAID}.›\n\n{OPEN}", SF),
    (f"‹[CONFIDENTIEL] {SAID}.›\n\n{OPEN}", BOTH),
    (f"‹CONFIDENTIEL – {SAID}.›\n\n{OPEN}", BOTH),
    (f"‹[LIMITE] {SAID}.›\n\n{OPEN}", DR),
    (f"Paragraphe ‹Spécial France : {SAID}.›\n\n{OPEN}", SF),
    (f"Passage en ‹diffusion restreinte : {SAID}.›\n\n{OPEN}", DR),
    (f"‹[SF] Deux points :\n\n- {SAID} ;\n- le reste.›\n\n{OPEN}", SF),
    (f"‹[SF]\n{SAID}.›\n\n{OPEN}", SF),
    (f"‹(SF)\n\n{SAID}.›\n\n{OPEN}", SF),
    # round or within one
    (f"{OPEN} ‹[SF] {SAID} [/SF]› et le reste.", SF),
    (f"{OPEN} ‹<SF>{SAID}</SF>› et le reste.", SF),
    (f"{OPEN} ‹(début SF) {SAID} (fin SF)› et le reste.", SF),
    (f"{OPEN} ‹[DR] {SAID}.›\n\n{OPEN}", DR),
    (f"{OPEN} ‹(DR) Le {SAID}.›\n\n{OPEN}", DR),
    (f"{OPEN} ‹[SF : {SAID}].›\n\n{OPEN}", SF),
    (f"‹Le {SAID} (SF).›\n\n{OPEN}", SF),
    (f"‹Le {SAID}. (Spécial France)›\n\n{OPEN}", SF),
    (f"‹Ce paragraphe est Spécial France. Le {SAID}.›\n\n{OPEN}", SF),
    # a heading
    (f"‹Spécial France\n\nLe {SAID}.\n\nEt le reste.›\n\nSuite de la note\n\n{OPEN}", SF),
    (f"## ‹Spécial France\n\nLe {SAID}.\n\nEt le reste.›\n\n## Suite\n\n{OPEN}", SF),
    (f"‹2. Position française (DR)\n\nLe {SAID}.›\n\n3. Suite\n\n{OPEN}", DR),
    (f"2. ‹Spécial France\n\nLe {SAID}.›\n\n3. Suite\n\n{OPEN}", SF),
    # begin and end
    (f"‹Début Spécial France\n\n{SAID}\n\nAutre.\n\nFin Spécial France›\n\n{OPEN}", SF),
    (f"{OPEN} ‹Début Spécial France : {SAID}. Fin Spécial France›. Suite.", SF),
    (f"--- ‹DÉBUT DR ---\n{SAID}\n--- FIN DR› ---\n\n{OPEN}", DR),
    (f"‹[Début DR-SF]\n{SAID}\n[Fin DR-SF]›\n\n{OPEN}", BOTH),
    (f"‹Spécial France – début\n{SAID}\n\nSpécial France – fin›\n\n{OPEN}", SF),
    (f"‹Ici commence la partie Spécial France\n{SAID}\nFin de la partie Spécial France›\n", SF),
    (f"{OPEN}\n\n‹Début Spécial France\n\n{SAID}\n\n{OPEN}›", SF),
    (f"‹DÉBUT DE DIFFUSION RESTREINTE\n{SAID}\nFIN DE DIFFUSION RESTREINTE›\n\n{OPEN}", DR),
]


@pytest.mark.parametrize(("text", "expected"), PASSAGES)
def test_a_passage_bears_a_mark_of_its_own(text: str, expected: Marks) -> None:
    whole = normalise_text(f"{OPEN}\n\n{text}\n\n{OPEN}")
    body = whole.replace("‹", "").replace("›", "")
    start = whole.index("‹")
    end = whole.index("›") - 1
    if end == len(body) - len(f"\n\n{OPEN}") and body[start:].startswith("Début"):
        end = len(body)  # without an end it holds to that of the document
    (found,) = look("Note du poste", body).passages
    assert (body[found.start : found.end], found.marks) == (body[start:end], expected)
    assert of_note("Note du poste", body) == NONE, "the rest is for everybody"


def test_what_begins_and_does_not_end_as_it_began_restricts_more() -> None:
    ended = look("Note", f"{OPEN}\n\nLe {SAID}.\n\nFin Spécial France\n\n{OPEN}")
    assert ended.of_the_whole == SF
    assert all(each.doubtful for each in ended.whole)
    body = f"{OPEN}\n\nDébut SF\n\nLe {SAID}.\n\nFin DR\n\n{OPEN}"
    other = look("Note", body)
    assert other.of_the_whole == DR
    (passage,) = other.passages
    assert (body[passage.start :][:8], passage.end, passage.marks) == ("Début SF", len(body), SF)


CLASSIFIED = [
    f"3. [SECRET] Le {SAID}.",
    f"(Secret) Le {SAID}.",
    f"2. (S) Le {SAID}.",
    f"(TS) Le {SAID}.\n\n(U) Le reste.",
    f"Très Secret : le {SAID}.",
    f"- SECRET – le {SAID}.",
    f"[CONFIDENTIEL DÉFENSE] Le {SAID}.",
    f"(EU CONFIDENTIAL) Le {SAID}.",
    f"b) [NATO SECRET] Le {SAID}.",
    f"Début Secret Défense\n\nLe {SAID}.\n\nFin Secret Défense",
    "Ce document est classé Secret.",
    "Note classifiée Secret Défense.",
    "La présente note est Secret Défense.",
    "Ce document est couvert par le secret de la défense nationale.",
    "SECRET NATO",
    "CLASSIFIÉ AU NIVEAU SECRET",
]


@pytest.mark.parametrize("text", CLASSIFIED)
def test_a_classified_passage_is_found_too(text: str) -> None:
    body = f"{OPEN}\n\n{text}\n\n{OPEN}"
    assert (marks.found(Text(body)) | look("Note", body).marks).classified


@pytest.mark.parametrize(
    ("mark", "level"),
    [("RESTREINT UE", Level.RESTREINT_UE), ("NATO RESTRICTED", Level.NATO_RESTRICTED)],
)
def test_a_level_of_others_before_a_paragraph_is_told(mark: str, level: Level) -> None:
    found = look("Note", f"{OPEN}\n\n2. ({mark}) Le {SAID}.\n\n{OPEN}")
    assert found.marks.levels == {level}
    assert [each.marks.marking for each in found.passages] == [Marking.DIFFUSION_RESTREINTE]


ORDINARY = [
    "Le secret médical est protégé.",
    "Le secret professionnel s’impose aux agents.",
    "L’accès restreint aux données de santé est maintenu.",
    "Une diffusion limitée dans le temps du vaccin.",
    "Ce document est à diffusion limitée dans le temps.",
    "Ce document n’est pas à diffusion restreinte.",
    "Cette note porte sur la diffusion restreinte des médicaments.",
    "Le nombre limité de places inquiète.",
    "Le DR de la caisse a démissionné.",
    "Dr Martin : la réforme tient.",
    "DR = directeur régional",
    "DR : direction régionale",
    "DR – directeur régional",
    "SF : San Francisco",
    "San Francisco (SF)",
    "La direction régionale (DR) a répondu.",
    "Les directeurs régionaux (DR) se sont réunis.",
    "Le parti Sinn Féin (SF) progresse.",
    "Laurent Wauquiez (DR) a pris la parole.",
    "M. Laurent Wauquiez (DR).",
    "La DR Congo a ratifié la convention.",
    "DR Congo : la convention est ratifiée",
    "Le régime spécial France Télécom disparaît.",
    "Le régime spécial France est fermé.",
    "Le numéro spécial France du magazine",
    "Photo : le ministre (DR)",
    "© DR",
    "Photo du ministre\n(DR)",
    "Crédit photo : DR",
    "Médecins sans frontières – SF",
    "Le SF6 est un gaz.",
    "- (SF6) un gaz",
    "Cette information est secrète.",
    "Les données sont confidentielles.",
    "Confidentiel et anonyme, ce service est ouvert.",
    "Document confidentiel du ministère cité par la presse",
    "Note secrète",
    "Une note confidentielle du ministère a fuité.",
    "Secret : le mot est dans toutes les bouches.",
    "Secret professionnel : rappel des règles",
    "Limite : la réforme ne vaut que pour 2027.",
    "LIMITE D’ÂGE : 67 ANS",
    "France seulement : 12 % des actifs.",
    "(a) Première option\n(b) Deuxième option",
    "(R) Option\n(S) Option\n(T) Option\n(A) Option\n(B) Option",
    "Début de la réforme : les retraites.",
    "Fin de la partie fiscale.",
    "La presse parle d’un document classé Secret Défense.",
    "Ce dossier est classé sans suite.",
    "DR | 12 | 45\nSF | 13 | 46",
    "SFR : l’opérateur",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_words_are_no_mark(text: str) -> None:
    body = f"{OPEN}\n\n{text}\n\n{OPEN}"
    found = look("Note du poste", body)
    assert (found.whole, found.passages) == ((), ())
    assert marks.found(Text(body)) == NONE


@pytest.mark.parametrize(
    "title",
    [
        "Secret médical et télétravail",
        "Le docteur Martin (Dr)",
        "Direction régionale (DR)",
        "Numéro spécial France",
        "Télétravail : diffusion limitée",
        "La DR Congo et le travail des enfants",
        "Le SMIC en France seulement",
        "Scrutin secret",
        "Rencontre avec le DR",
        "Les films de SF",
        "Note DR Congo",
        "Médecins sans frontières SF",
    ],
)
def test_ordinary_titles_bear_no_mark(title: str) -> None:
    assert look(title, OPEN) == look("Note", OPEN)


def test_looking_again_finds_the_same_in_the_stored_text() -> None:
    for text, _ in PASSAGES:
        body = normalise_text(f"{OPEN}\n\n{text}\n\n{OPEN}")
        again = normalise_text(body)
        assert look("Note", again) == look("Note", body)


@pytest.mark.parametrize(
    "line",
    [
        "DR – x\n",
        "[SF] é ",
        "é (Spécial France) x\n",
        "\n\nDR.\n\n",
        "Début SF ",
        "(début SF)",
        "Ce document est à diffusion ",
        "# DR\n",
        "[[[((<",
        "a :\n\n- b\n",
        "D R ",
    ],
)
def test_many_near_marks_take_linear_time(line: str) -> None:
    def seconds(size: int) -> float:
        body = (line * (size // len(line) + 1))[:size]
        began = time.process_time()
        look("Note", body)
        return time.process_time() - began

    seconds(2_000)
    small, large = seconds(25_000), seconds(200_000)
    assert large < 40 * small + 0.5


def test_of_too_many_lines_with_marks_the_whole_is_for_the_fewest() -> None:
    found = look("Note", "[DR] x.\n" * (MOST_LINES + 1))
    assert found.of_the_whole == STRICTEST
    assert look("Note", f"{OPEN} [DR]" * (MOST_SIGNS + 1)).of_the_whole == STRICTEST


@given(st.text(alphabet="DRSF[]()/<> :.-–éÉ\nœfinbutabc«»1\u00a0\u0301", max_size=300))
def test_no_text_makes_it_raise_and_passages_lie_in_the_text(text: str) -> None:
    try:
        body = normalise_text(text)
    except ValueError:
        return
    for each in look("Note", body).passages:
        assert 0 <= each.start < each.end <= len(body)
