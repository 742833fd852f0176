"""Where a note names a country: every passage, without the traps, with the weight it carries."""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from services.classify.gazetteer import Kind, Place, bodies, gazetteer, trap
from services.classify.matching import Match
from services.classify.text import Folded

LEAD = 80
"""Words of the body that tell what it is about; of a short body, its first half."""
SHORT_LEAD = 30
"""Words of the lead of the shortest bodies."""

KIND_WEIGHT = {
    Kind.NAME: 1.0,
    Kind.PEOPLE: 0.8,
    Kind.CITY: 0.7,
    Kind.INSTITUTION: 0.6,
    Kind.PREFIX: 0.8,
}
"""A country's own name says most; a city may only be where something happened."""
STATE_WEIGHT = 1.3
"""Of an adjective of country after a word for the state, its law or its people."""
AGENCY_WEIGHT = 0.5
"""Of one after a word for a company, an expert, an agency: it tells where that comes from."""
COMPARED_WEIGHT = 0.15
"""Of a country that is only compared with ("contrairement à l'Espagne", "comme en Italie")."""
PARTNER_WEIGHT = 0.3
"""Of a country that only says where a body named by its acronym is ("le SEPE en Espagne")."""
LIST_WEIGHT = 0.3
"""Of one in a long enumeration: it is one of many."""
HEADING_FACTOR = 3.0
"""Of one that opens a paragraph as its heading ("Chili : …"), in notes on several countries."""
LEAD_FACTOR = 2.0
TITLE_FACTOR = 3.5

LONG_LIST = 4
"""So many countries with nothing but commas between them make an enumeration."""
BETWEEN = 30
"""Words after "entre" in which the parties to an agreement are named."""
AGREED = 25
"""Words before "entre" in which stands what is agreed."""
_AGREEMENTS = frozenset(
    {"accord", "accords", "convention", "conventions", "protocole", "traite", "avenant"}
    | {"arrangement", "entente", "declaration", "memorandum", "partenariat"}
)
NEAR_SEAT = 12
"""Words round Geneva, Brussels, New York in which an international body makes them its seat."""
SEATS = frozenset({"bruxelles", "geneve", "new york", "la haye", "vienne", "strasbourg"})
_SEATED = (
    "nations unies", "onu", "oit", "bit", "oms", "union europeenne", "ue", "commission europeenne",
    "representation permanente", "mission permanente", "organisation mondiale", "eurogroupe",
    "conseil europeen", "parlement europeen", "organisation internationale", "otan", "aiea",
    "conseil de l europe", "rapporteur special", "rapporteuse speciale",
    "conseil des droits de l homme", "europeens", "europeenne", "vingt sept", "postes",
    "multilateraux",
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
_BINDING = frozenset({"entre", "lie", "lient", "liant"})
_SENTENCE_ENDS = frozenset(".!?¶…")
_BETWEEN_LISTED = frozenset(
    {",", "et", "ou", "la", "le", "les", "l", "en", "au", "aux", "·", "|", "/"}
)
_LINE_START = re.compile(r"(?:^|\n)[ \t]*(?:[-–—•*#|]+|\d{1,2}[.)]|[a-z]\))?[ \t]*$")
_HEADING_END = re.compile(r"[ \u00a0]?[:–—(|]|[ \u00a0]-[ \u00a0]")
_STOPS = frozenset(".!?;:¶…")
_COMPASS = frozenset({"nord", "sud", "est", "ouest", "centre", "ville"})
_HYPHENS = tuple("-\u2010\u2011\u2013")
_QUOTES = frozenset('«»"“”„')
MOST_NER = 12
"""Ambiguous names looked at by the model in one note; the rest follow the majority."""

MOST_OF_A_NAME = 500
"""Occurrences of one name that are looked at: no report of eighty pages has more, floods do."""

IsPlace = Callable[[Folded, int, int], bool]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that names a country.

    `leading`: in the first lines, or the `heading` of a paragraph. `compared`: only compared with.
    `acronym`, `seat`: makes no country by itself. `party`: named after "entre", or in a pair;
    `agreed`: as a party to an agreement.
    """

    country: str
    region: str | None
    field: Literal["subject", "body"]
    text: Folded
    first: int
    last: int
    kind: Kind
    weight: float
    leading: bool
    heading: bool
    compared: bool
    acronym: bool
    seat: bool
    party: bool
    agreed: bool

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
    seated = _names_a_body(subject) or _names_a_body(body)
    treaty = not _AGREEMENTS.isdisjoint(subject.words)
    for name, text in fields:
        matches = [
            match
            for match in _first_ones(gazetteer().find(text))
            if match.term.meaning.kind is not Kind.HIDDEN and not _trapped(text, match)
        ]
        matches += _apart(_first_ones(bodies().find(text)), matches)
        frame = Frame(name, _listed(text, matches), seated, treaty)
        for match in matches:
            place = match.term.meaning
            hit = _hit(text, match, frame)
            if place.ambiguous and not (_joined(text, match) or _heads(text, match)):
                doubtful.append(hit)
            else:
                found.append(hit)
    found.extend(_decided(doubtful, {hit.country for hit in found}, is_place))
    return _homonyms(_once(found))


def _first_ones(matches: Sequence[Match[Place]]) -> Iterator[Match[Place]]:
    """Of each name its first `MOST_OF_A_NAME` occurrences."""
    times: dict[str, int] = {}
    for match in matches:
        key = match.term.key
        times[key] = times.get(key, 0) + 1
        if times[key] <= MOST_OF_A_NAME:
            yield match


def _apart(
    institutions: Iterable[Match[Place]], places: Sequence[Match[Place]]
) -> list[Match[Place]]:
    """The institutions whose names do not hold the name of a place: that says more."""
    taken = {word for match in places for word in range(match.first, match.last + 1)}
    return [match for match in institutions if taken.isdisjoint(range(match.first, match.last + 1))]


def _once(found: Sequence[Hit]) -> list[Hit]:
    """One hit for a passage and a country, the heaviest: a name may stand in several tables, in
    several spellings, or be an inhabitant's too (Suisse)."""
    kept: dict[tuple[str, int, int, str], Hit] = {}
    for hit in found:
        at = (hit.field, hit.first, hit.last, hit.country)
        if at not in kept or kept[at].weight < hit.weight:
            kept[at] = hit
    return list(kept.values())


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds the passages of a field: enumerations, whether an international body is named
    in the note, whether its subject names a treaty."""

    field: Literal["subject", "body"]
    listed: frozenset[int]
    seated: bool
    treaty: bool


def _hit(text: Folded, match: Match[Place], frame: Frame) -> Hit:
    place, first = match.term.meaning, match.first
    compared = _compared(text, first)
    between = _between(text, match)
    agreed = between is not None and _agreed(text, between)
    heading = frame.field == "body" and _opens(text, match)
    leading = heading or (
        frame.field == "body"
        and not compared
        and first < min(LEAD, max(SHORT_LEAD, len(text.words) // 2))
    )
    leading = leading or (agreed and frame.treaty and between != first)
    weight = KIND_WEIGHT[place.kind] * _beside(text, match)
    if compared:
        weight *= COMPARED_WEIGHT
    elif _partner(text, first):
        weight *= PARTNER_WEIGHT
    if frame.field == "subject":
        weight *= TITLE_FACTOR
    elif first in frame.listed and not agreed:
        weight *= LIST_WEIGHT
    elif heading:
        weight *= HEADING_FACTOR
    elif leading:
        weight *= LEAD_FACTOR
    return Hit(
        country=place.country,
        region=place.region,
        field=frame.field,
        text=text,
        first=first,
        last=match.last,
        kind=place.kind,
        weight=weight,
        leading=leading and (agreed or first not in frame.listed),
        heading=heading,
        compared=compared,
        acronym=place.acronym,
        seat=match.term.key in SEATS and (frame.seated or _seated(text, match)),
        party=between is not None,
        agreed=agreed,
    )


def _beside(text: Folded, match: Match[Place]) -> float:
    """What the word before an adjective makes of its weight: the state more, a company less."""
    if match.term.meaning.kind is not Kind.PEOPLE or not match.first:
        return 1.0
    before = text.words[match.first - 1]
    if before in trap("strong_with") or before.rstrip("s") in trap("strong_with"):
        return STATE_WEIGHT / KIND_WEIGHT[Kind.PEOPLE]
    if before in trap("agency") or before.rstrip("s") in trap("agency"):
        return AGENCY_WEIGHT / KIND_WEIGHT[Kind.PEOPLE]
    return 1.0


def _listed(text: Folded, matches: Sequence[Match[Place]]) -> frozenset[int]:
    """The words where the countries of long enumerations begin."""
    listed: set[int] = set()
    run: list[Match[Place]] = []

    def close() -> None:
        if len({match.term.meaning.country for match in run}) >= LONG_LIST:
            listed.update(match.first for match in run)

    for match in sorted(matches, key=lambda match: match.first):
        if run and not _enumerated(text.words[run[-1].last + 1 : match.first]):
            close()
            run = []
        run.append(match)
    close()
    return frozenset(listed)


def _enumerated(between: tuple[str, ...]) -> bool:
    return len(between) <= 4 and _BETWEEN_LISTED.issuperset(between)


def _opens(text: Folded, match: Match[Place]) -> bool:
    """The name opens a line as its heading: a colon, a dash or a bracket follows."""
    start, end = text.spans[match.first][0], text.spans[match.last][1]
    return bool(
        match.term.meaning.kind is Kind.NAME
        and _LINE_START.search(text.text[max(0, start - 12) : start])
        and _HEADING_END.match(text.text[end : end + 3])
    )


def _names_a_body(text: Folded) -> bool:
    """Whether a text names the Union, the United Nations or one of their bodies."""
    return any(f" {body} " in text.line for body in _SEATED)


def _trapped(text: Folded, match: Match[Place]) -> bool:
    place, first, last = match.term.meaning, match.first, match.last
    words = text.words
    before = words[first - 1] if first else ""
    after = words[last + 1] if last + 1 < len(words) else ""
    if before in _QUOTES and after in _QUOTES:
        return True  # a brand or a title, not the country
    if before == "(" and after == ")" and _shouting(text, first) and not place.acronym:
        return place.kind is not Kind.NAME or not text.surface(0, min(first, 20)).isupper()
    if place.ambiguous and _surname_follows(text, last):
        return True
    if place.kind is Kind.PREFIX:
        return text.text[text.spans[last][1] : text.spans[last][1] + 1] not in _HYPHENS
    if place.lesser and _given_name_before(text, first):
        return True
    if place.kind is Kind.CITY:
        if _compound(text, first, last):
            return True
        if before in {"la", "le"} and match.term.key == "vienne":
            return True  # the French department
        return before in {"de", "d", "du"} and first > 1 and words[first - 2] in trap("before_city")
    if place.kind is Kind.PEOPLE and place.masculine and before in trap("language"):
        return text.surface(first, last).islower()
    return False


def _compound(text: Folded, first: int, last: int) -> bool:
    """A hyphen ties the city to a word that names no place: another place, or a family name."""
    start, end = text.spans[first][0], text.spans[last][1]
    names = gazetteer()
    if first and text.text[start - 1 : start] in _HYPHENS:
        before = text.words[first - 1]
        return not (before in _COMPASS or names.knows(before)) and _capital(text, first - 1)
    if last + 1 < len(text.words) and text.text[end : end + 1] in _HYPHENS:
        after = text.words[last + 1]
        return not (after in _COMPASS or names.knows(after)) and _capital(text, last + 1)
    return False


def _capital(text: Folded, word: int) -> bool:
    return text.text[text.spans[word][0]].isupper()


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
    """The place follows an acronym and a preposition, or a proper name ("CARE France"): it tells
    where that body is."""
    words = text.words
    at = first - 1
    if at >= 0 and _of_a_body(text, first):
        return True
    if at >= 0 and words[at] in {"l", "la", "le", "les"}:
        at -= 1
    if at < 1 or words[at] not in {"en", "au", "aux", "de", "d", "du", "in"}:
        return False
    body = text.surface(at - 1, at - 1)
    return len(body) >= 3 and body.isupper() and body.isalpha() and not _shouting(text, first)


def _of_a_body(text: Folded, first: int) -> bool:
    """France right after a word with a capital that is no place: the French part of a body."""
    before = text.words[first - 1]
    gap = text.text[text.spans[first - 1][1] : text.spans[first][0]]
    return (
        text.words[first] == "france"
        and gap == " "
        and _capital(text, first - 1)
        and not (_shouting(text, first) or before in _BEFORE_PLACES or before in _LINKS)
        and not gazetteer().knows(before)
    )


def _between(text: Folded, match: Match[Place]) -> int | None:
    """Where the "entre" stands after which the country is named, in the same sentence; for one of
    a pair (France-Maurice, franco-tunisien), where the pair stands. None otherwise."""
    if match.term.meaning.kind is Kind.PREFIX or _joined(text, match):
        return match.first
    for at in range(match.first - 1, max(-1, match.first - 1 - BETWEEN), -1):
        if text.words[at] in _BINDING:
            return at
        if text.words[at] in _STOPS:
            return None
    return None


def _agreed(text: Folded, between: int) -> bool:
    """Whether what is agreed stands before, in the same sentence."""
    for at in range(between - 1, max(-1, between - 1 - AGREED), -1):
        if text.words[at] in _AGREEMENTS:
            return True
        if text.words[at] in _SENTENCE_ENDS:
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


def _located(hit: Hit) -> bool:
    """Whether a preposition makes the name a place; without, Bruxelles is the Union's organs."""
    return hit.first > 0 and hit.text.words[hit.first - 1] in _LINKS


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
    if "LB" in by_country and by_country.get("LY", set()) <= {"tripoli"}:
        moves["tripoli"] = ("LB", None)
    if "CO" in by_country and by_country.get("LK", set()) <= {"colombo"}:
        moves["colombo"] = ("LK", None)
    if by_country.get("BE", set()) <= {"bruxelles"}:
        found = [hit for hit in found if hit.key != "bruxelles" or _located(hit)]
    if not moves:
        return found
    return [
        replace(hit, country=moves[hit.key][0], region=moves[hit.key][1])
        if hit.key in moves
        else hit
        for hit in found
    ]
