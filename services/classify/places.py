"""Where a note names a country: every passage, without the traps, with the weight it carries."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from services.classify.gazetteer import Kind, Place, gazetteer, trap
from services.classify.matching import Match
from services.classify.text import Folded

LEAD = 60
"""Words of the body that tell what it is about."""

KIND_WEIGHT = {
    Kind.NAME: 1.0,
    Kind.PEOPLE: 0.8,
    Kind.CITY: 0.7,
    Kind.INSTITUTION: 0.8,
    Kind.PREFIX: 0.8,
}
"""A country's own name says most; a city may only be where something happened."""
STATE_WEIGHT = 1.3
"""Of an adjective of country after a word for the state, its law or its people."""
AGENCY_WEIGHT = 0.3
"""Of one after a word for a company, an expert, an agency: it tells where that comes from."""
COMPARED_WEIGHT = 0.15
"""Of a country that is only compared with ("contrairement à l'Espagne", "comme en Italie")."""
PARTNER_WEIGHT = 0.3
"""Of a country that only says where a body named by its acronym is ("le SEPE en Espagne")."""
LEAD_FACTOR = 2.0
TITLE_FACTOR = 4.0

BETWEEN = 14
"""Words after "entre" in which the parties to an agreement are named."""
NEAR_SEAT = 12
"""Words round Geneva, Brussels, New York in which an international body makes them its seat."""
SEATS = frozenset({"bruxelles", "geneve", "new york", "la haye", "vienne", "strasbourg"})
_SEATED = (
    "nations unies", "onu", "oit", "bit", "oms", "union europeenne", "ue", "commission europeenne",
    "representation permanente", "mission permanente", "organisation mondiale", "eurogroupe",
    "conseil europeen", "parlement europeen", "organisation internationale", "otan", "aiea",
    "conseil de l europe", "europeens", "europeenne", "vingt sept", "postes", "multilateraux",
)  # fmt: skip
_BEFORE_PLACES = frozenset(
    {
        ",",
        "a",
        "dans",
        "selon",
        "pour",
        "avec",
        "depuis",
        "vers",
        "sur",
        "chez",
        "entre",
        "et",
        "ville",
    }
)
_LINKS = frozenset({"de", "d", "du", "des", "la", "le", "les", "l", "en", "au", "aux", "a"})
_STOPS = frozenset(".!?;:¶…")
_HYPHENS = tuple("-\u2010\u2011\u2013")
_QUOTES = frozenset('«»"“”„')
MOST_NER = 12
"""Ambiguous names looked at by the model in one note; the rest follow the majority."""

IsPlace = Callable[[Folded, int, int], bool]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that names a country.

    `compared`: only compared with. `acronym`, `seat`: makes no country by itself. `party`: one of
    those between whom something is agreed.
    """

    country: str
    region: str | None
    field: Literal["subject", "body"]
    text: Folded
    first: int
    last: int
    kind: Kind
    weight: float
    compared: bool
    acronym: bool
    seat: bool
    party: bool

    @property
    def key(self) -> str:
        """The folded words of the passage."""
        return " ".join(self.text.words[self.first : self.last + 1])

    @property
    def prominent(self) -> bool:
        """Whether the subject names the country for itself."""
        return self.field == "subject" and not self.compared


def hits(subject: Folded, body: Folded, is_place: IsPlace) -> list[Hit]:
    """All passages of a note that name a country; `is_place` decides on ambiguous names."""
    found: list[Hit] = []
    doubtful: list[Hit] = []
    fields: tuple[tuple[Literal["subject", "body"], Folded], ...] = (
        ("subject", subject),
        ("body", body),
    )
    for name, text in fields:
        for match in gazetteer().find(text):
            place = match.term.meaning
            if place.kind is Kind.HIDDEN or _trapped(text, match):
                continue
            hit = _hit(name, text, match)
            if place.ambiguous and not (_joined(text, match) or _heads(text, match)):
                doubtful.append(hit)
            else:
                found.append(hit)
    found.extend(_decided(doubtful, {hit.country for hit in found}, is_place))
    return _homonyms(found)


def _hit(name: Literal["subject", "body"], text: Folded, match: Match[Place]) -> Hit:
    place, first = match.term.meaning, match.first
    compared = _compared(text, first)
    weight = KIND_WEIGHT[place.kind]
    before = text.words[first - 1] if first else ""
    if place.kind is Kind.PEOPLE:
        if before in trap("strong_with") or before.rstrip("s") in trap("strong_with"):
            weight = STATE_WEIGHT
        elif before in trap("agency") or before.rstrip("s") in trap("agency"):
            weight = AGENCY_WEIGHT
    if compared:
        weight *= COMPARED_WEIGHT
    elif _partner(text, first):
        weight *= PARTNER_WEIGHT
    if name == "subject":
        weight *= TITLE_FACTOR
    elif first < LEAD:
        weight *= LEAD_FACTOR
    return Hit(
        country=place.country,
        region=place.region,
        field=name,
        text=text,
        first=first,
        last=match.last,
        kind=place.kind,
        weight=weight,
        compared=compared,
        acronym=place.acronym,
        seat=match.term.key in SEATS and _seated(text, match),
        party=_party(text, match),
    )


def _trapped(text: Folded, match: Match[Place]) -> bool:
    place, first, last = match.term.meaning, match.first, match.last
    words = text.words
    before = words[first - 1] if first else ""
    after = words[last + 1] if last + 1 < len(words) else ""
    if before in _QUOTES and after in _QUOTES:
        return True  # a brand or a title, not the country
    if place.ambiguous and _surname_follows(text, last):
        return True
    if place.kind is Kind.PREFIX:
        return text.text[text.spans[last][1] : text.spans[last][1] + 1] not in _HYPHENS
    if place.lesser and _given_name_before(text, first):
        return True
    if place.kind is Kind.CITY:
        if before in {"la", "le"} and match.term.key == "vienne":
            return True  # the French department
        return before in {"de", "d", "du"} and first > 1 and words[first - 2] in trap("before_city")
    if place.kind is Kind.PEOPLE and place.masculine and before in trap("language"):
        return text.surface(first, last).islower()
    return False


def _surname_follows(text: Folded, last: int) -> bool:
    """A capital right after an ambiguous name: a person's family name."""
    if last + 1 >= len(text.words) or _shouting(text, last):
        return False
    end, start = text.spans[last][1], text.spans[last + 1][0]
    return text.text[end:start] == " " and text.text[start].isupper()


def _heads(text: Folded, match: Match[Place]) -> bool:
    """The name stands first, before a colon, as in the subject "Maurice : la réforme"."""
    following = text.words[match.last + 1 : match.last + 2]
    return match.first == 0 and following == (":",)


def _given_name_before(text: Folded, first: int) -> bool:
    """A word with a capital right before a city that may be a family name: a given name."""
    if first == 0 or text.words[first - 1] in _BEFORE_PLACES or _shouting(text, first):
        return False
    before = text.surface(first - 1, first - 1)
    gap = text.text[text.spans[first - 1][1] : text.spans[first][0]]
    return gap == " " and before[0].isupper() and not gazetteer().knows(text.words[first - 1])


def _compared(text: Folded, first: int) -> bool:
    """A comparing expression stands just before, with nothing but little words between."""
    at = first
    while at > 0:
        for expression in _comparing().get(text.words[at - 1], ()):
            if text.words[max(0, at - len(expression)) : at] == expression:
                return True
        if text.words[at - 1] not in _LINKS:
            return False
        at -= 1
    return False


@cache
def _comparing() -> dict[str, list[tuple[str, ...]]]:
    """The comparing expressions by their last word."""
    by_last: dict[str, list[tuple[str, ...]]] = {}
    for expression in trap("compared"):
        words = tuple(expression.split(" "))
        by_last.setdefault(words[-1], []).append(words)
    return by_last


def _partner(text: Folded, first: int) -> bool:
    """The place follows an acronym and a preposition: it tells where that body is."""
    words = text.words
    at = first - 1
    if at >= 0 and words[at] in {"l", "la", "le", "les"}:
        at -= 1
    if at < 1 or words[at] not in {"en", "au", "aux", "de", "d", "du", "in"}:
        return False
    body = text.surface(at - 1, at - 1)
    return len(body) >= 3 and body.isupper() and body.isalpha() and not _shouting(text, first)


def _party(text: Folded, match: Match[Place]) -> bool:
    """The country stands after "entre" in its sentence, or before the hyphen of a pair."""
    if match.term.meaning.kind is Kind.PREFIX or _joined(text, match):
        return True
    for word in reversed(text.words[max(0, match.first - BETWEEN) : match.first]):
        if word == "entre":
            return True
        if word in _STOPS:
            return False
    return False


def _joined(text: Folded, match: Match[Place]) -> bool:
    """The name is one half of a pair of countries (France-Maurice)."""
    names = gazetteer()
    start, end = text.spans[match.first][0], text.spans[match.last][1]
    before = match.first and text.text[start - 1 : start] in _HYPHENS
    after = match.last + 1 < len(text.words) and text.text[end : end + 1] in _HYPHENS
    return bool(
        (before and names.knows(text.words[match.first - 1]))
        or (after and names.knows(text.words[match.last + 1]))
    )


def _shouting(text: Folded, first: int) -> bool:
    return text.surface(first, first).isupper()


def _seated(text: Folded, match: Match[Place]) -> bool:
    near = " ".join(text.words[max(0, match.first - NEAR_SEAT) : match.last + 1 + NEAR_SEAT])
    padded = f" {near} "
    return any(f" {body} " in padded for body in _SEATED)


def _decided(doubtful: Sequence[Hit], certain: Container[str], is_place: IsPlace) -> list[Hit]:
    """The doubtful hits that are places: by the model, or by the majority beyond `MOST_NER`.

    The model is asked only where a place may stand (after a preposition, an article, a comma) or
    where the note names that country otherwise: it takes some given names for places anywhere.
    """
    kept: list[Hit] = []
    votes: dict[str, list[bool]] = {}
    likely = [
        hit
        for hit in doubtful
        if hit.country in certain
        or (hit.first and hit.text.words[hit.first - 1] in _LINKS | _BEFORE_PLACES)
    ]
    for number, hit in enumerate(likely):
        known = votes.setdefault(hit.key, [])
        if number < MOST_NER:
            known.append(is_place(hit.text, hit.first, hit.last))
            verdict = known[-1]
        else:
            verdict = 2 * sum(known) > len(known)
        if verdict:
            kept.append(hit)
    return kept


def _homonyms(found: list[Hit]) -> list[Hit]:
    """Bare names that two countries share go to the one that the note otherwise speaks of."""
    by_country: dict[str, set[str]] = {}
    for hit in found:
        by_country.setdefault(hit.country, set()).add(hit.key)
    moves: dict[str, tuple[str, str | None]] = {}
    own = {"congo", "congolais", "congolaise", "congolaises"}
    if "CD" in by_country and not by_country.get("CG", set()) - own:
        moves |= dict.fromkeys(own, ("CD", None))
    if "US" in by_country and by_country.get("GE", set()) <= {"georgie", "georgien"}:
        moves["georgie"] = ("US", "Géorgie")
    if "BR" in by_country and by_country.get("SV", set()) <= {"salvador"}:
        moves["salvador"] = ("BR", None)
    if "ES" in by_country and by_country.get("GD", set()) <= {"grenade"}:
        moves["grenade"] = ("ES", "Andalousie")
    if "CO" in by_country and by_country.get("LK", set()) <= {"colombo"}:
        moves["colombo"] = ("LK", None)
    if not moves:
        return found
    return [
        replace(hit, country=moves[hit.key][0], region=moves[hit.key][1])
        if hit.key in moves
        else hit
        for hit in found
    ]
