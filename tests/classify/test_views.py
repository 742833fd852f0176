"""The tags of a note for whoever may not see all of its passages: they are those of the rest."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.classification import Classification
from schemas.events import ClassifiedNote, CorrectionTags, classified
from schemas.note import MarkedSpan, Note
from schemas.vocabulary import Role
from services.classify.classifier import classify
from services.classify.views import shortened_views
from services.runtime.access.rights import EVERYTHING, HIDDEN, event_for, note_for
from tests.builders import a_note, an_event

SUBJECT = "Réforme des retraites en Allemagne"
OPEN = "La commission allemande propose de porter l'âge de départ à 68 ans, comme en Espagne. "
PASSAGES = (
    "L'Espagne réforme ses retraites : le gouvernement espagnol a présenté à Madrid sa loi.",
    "Les hôpitaux espagnols manquent de médecins ; la ministre espagnole de la santé l'admet.",
    "Le syndicat polonais Solidarność prépare une grève à Varsovie contre le temps de travail.",
    "La délégation a été reçue.",
)


def note(restricted: str, french: str = "") -> Note:
    """The open text, then two passages: *Diffusion restreinte*, and *Spécial France*."""
    spans = [MarkedSpan(field="body", start=len(OPEN), end=len(OPEN + restricted), mark="DR")]
    body = f"{OPEN}{restricted}"
    if french:
        start = len(body) + 1
        body = f"{body}\n{french}"
        spans += [MarkedSpan(field="body", start=start, end=len(body), mark="SF")]
    return a_note(subject=SUBJECT, body=body, marked_spans=spans)


def told(of: Note, **changes: object) -> ClassifiedNote:
    """The note as classify passes it on."""
    event = an_event(of, **changes)
    return classified(event, classify(of), event.at, shortened_views(of, classify))


def test_a_country_that_the_passage_is_about_is_only_mentioned_by_the_rest() -> None:
    event = told(note(PASSAGES[0]))
    roles = {tag.country: tag.role for tag in event.classification.countries}
    assert roles == {"DE": Role.ABOUT, "ES": Role.ABOUT}
    seen = {tag.country: tag.role for tag in event_for(event, 0).classification.countries}
    assert seen == {"DE": Role.ABOUT, "ES": Role.MENTIONED}


passages = st.lists(st.sampled_from(PASSAGES), min_size=1, max_size=3).map(" ".join)


@given(passages, passages, passages, st.integers(0, EVERYTHING - 1))
def test_nothing_that_a_reader_gets_tells_what_stands_in_the_passages(
    restricted: str, french: str, other: str, audience: int
) -> None:
    this = note(restricted, french)
    that = note(restricted if audience & 1 else other, french if audience & 2 else other)
    seen, beside = (event_for(told(each), audience) for each in (this, that))
    assert (seen.note, seen.classification) == (beside.note, beside.classification)
    assert seen.classification == classify(note_for(this, audience))
    assert seen.views == beside.views == ()


def test_each_text_that_some_audience_sees_is_classified_once() -> None:
    views = shortened_views(note("Un alinéa.", "Un autre."), classify)
    assert [view.hidden for view in views] == [(0, 1), (1,), (0,)]
    of_all = a_note(marked_spans=[MarkedSpan(field="body", start=0, end=5, mark="cabinet")])
    assert [view.hidden for view in shortened_views(of_all, classify)] == [(0,)]


def test_a_text_that_nobody_sees_shortened_is_not_classified_again() -> None:
    assert shortened_views(a_note(), classify) == ()
    open_to_all = MarkedSpan(field="body", start=0, end=5, mark="non protégé")
    assert shortened_views(a_note(marked_spans=[open_to_all]), classify) == ()
    # Whoever may see the note at all may see its passage.
    same = MarkedSpan(field="body", start=0, end=5, mark="DR")
    marked = a_note(marking="diffusion_restreinte", marked_spans=[same])
    assert shortened_views(marked, classify) == ()


def test_of_a_correction_a_reader_sees_what_the_rest_of_the_text_speaks_for() -> None:
    tags = CorrectionTags(themes=("sante", "protection_sociale"), countries=("ES", "PL"))
    event = told(note(PASSAGES[1] + PASSAGES[2]), correction=1, correction_tags=tags)
    seen = event_for(event, 0).correction_tags
    assert seen == CorrectionTags(themes=("protection_sociale",), countries=("ES",))


def test_what_stands_for_a_passage_has_no_tags_itself() -> None:
    found = classify(a_note(subject=HIDDEN, body=HIDDEN))
    assert found == Classification(release=found.release)
