"""The gazetteer: names of places and people, the country each stands for, and the traps."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from schemas.vocabulary import countries
from services.classify.inflect import people_forms
from services.classify.institutions import institutions
from services.classify.matching import EXACT, Matcher, Term, terms
from services.classify.tables import items, rows
from services.classify.text import fold_term

AMBIGUOUS = "?"
STRONG = "strong"


class Kind(StrEnum):
    """How a passage names a country."""

    NAME = "name"
    PEOPLE = "people"
    CITY = "city"
    INSTITUTION = "institution"
    PREFIX = "prefix"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Place:
    """What a name stands for. `ambiguous`: it may also be no place at all (Maurice, Virginie).
    `acronym`: it makes no country by itself, in capitals or not. `lesser`: a city known by name
    only, which may be a family name too. `needs`, `unless`: folded expressions of which one must,
    or none may, stand near.
    """

    country: str
    kind: Kind
    region: str | None = None
    ambiguous: bool = False
    masculine: bool = False
    acronym: bool = False
    lesser: bool = False
    needs: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()


@cache
def gazetteer() -> Matcher[Place]:
    """The matcher of all names of places. Raises ValueError on an unknown country code."""
    return Matcher([*_countries(), *_regions(), *_cities(), *_prefixes(), *_hidden()])


@cache
def bodies() -> Matcher[Place]:
    """The matcher of social institutions. A name makes a country by itself only where it is a
    proper name, strong, of one country alone and more than an acronym."""
    shared: dict[str, set[str | None]] = {}
    for names in institutions():
        for written in names.terms:
            shared.setdefault(_bare(written), set()).add(names.country)
    wanted: list[Term[Place]] = []
    for names in institutions():
        if names.country is None:
            continue
        sure = names.strength == STRONG and not names.beside
        needs, unless = (
            frozenset(map(fold_term, names.needs)),
            frozenset(map(fold_term, names.unless)),
        )
        for written in names.terms:
            alone = sure and len(shared[_bare(written)]) == 1 and _proper(written)
            place = Place(
                names.country, Kind.INSTITUTION, acronym=not alone, needs=needs, unless=unless
            )
            wanted.extend(terms(written, place, capital=alone))
    return Matcher(wanted, conditions=lambda place: (place.needs, place.unless))


def _bare(written: str) -> str:
    return fold_term(written.lstrip("=^~"))


def _proper(written: str) -> bool:
    """A name with a capital that is more than an acronym: two words, or one like Swissmedic."""
    bare = written.lstrip("=^~")
    return any(word[0].isupper() and not word.isupper() for word in bare.split())


@cache
def trap(kind: str) -> frozenset[str]:
    """The folded expressions of one kind in traps.txt."""
    return frozenset(
        fold_term(item)
        for row in rows("traps.txt")
        if row["kind"] == kind
        for item in items(row["expressions"])
    )


def _countries() -> Iterator[Term[Place]]:
    short = dict(countries())
    for row in rows("countries.txt"):
        code = row["code"]
        if code not in short:
            raise ValueError(f"countries.txt: unknown country {code!r}")
        given = items(row["names"])
        own = short.pop(code)
        if f"{AMBIGUOUS}{own}" not in given and _listed(own):
            given = (own, *given)
        yield from _names(given, code, Kind.NAME)
        yield from _people(row["people"], code)
        yield from _names(items(row["cities"]), code, Kind.CITY)
        yield from _names(items(row["institutions"]), code, Kind.INSTITUTION)
    for code, own in short.items():
        yield from _names((own,) if _listed(own) else (), code, Kind.NAME)


def _listed(short_name: str) -> bool:
    """CLDR's names with brackets or a bare given name are not how notes write."""
    return "(" not in short_name and short_name not in {"Réunion", "Maurice", "Dominique"}


def _regions() -> Iterator[Term[Place]]:
    for row in rows("regions.txt"):
        region = row["region"] or None
        yield from _names(items(row["names"]), row["code"], Kind.NAME, region)
        yield from _people(row["people"], row["code"], region)
        yield from _names(items(row["cities"]), row["code"], Kind.CITY, region)


def _cities() -> Iterator[Term[Place]]:
    for row in rows("cities.txt"):
        for city in items(row["cities"]):
            place = Place(country=row["code"], kind=Kind.CITY, lesser=True)
            yield from terms(EXACT + city, place, capital=True)


def _prefixes() -> Iterator[Term[Place]]:
    for row in rows("prefixes.txt"):
        for item in items(row["prefix"]):
            yield from terms(EXACT + item, Place(row["code"], Kind.PREFIX))


def _hidden() -> Iterator[Term[Place]]:
    for row in rows("traps.txt"):
        if row["kind"] == "hidden":
            for item in items(row["expressions"]):
                yield from terms(EXACT + item, Place("", Kind.HIDDEN))


def _names(
    names: tuple[str, ...], code: str, kind: Kind, region: str | None = None
) -> Iterator[Term[Place]]:
    """Names of places begin with a capital; institutions may be written without (mini-jobs)."""
    for name in names:
        ambiguous = name.startswith(AMBIGUOUS)
        bare = name.lstrip(AMBIGUOUS)
        proper = kind is not Kind.INSTITUTION or bare[0].isupper()
        place = Place(
            country=code,
            kind=kind,
            region=region,
            ambiguous=ambiguous,
            acronym=kind is Kind.INSTITUTION and bare.isupper() and " " not in bare,
        )
        yield from terms(EXACT + bare, place, capital=proper)


def _people(cell: str, code: str, region: str | None = None) -> Iterator[Term[Place]]:
    for pair in items(cell):
        ambiguous = pair.startswith(AMBIGUOUS)
        for number, form in enumerate(people_forms(pair.lstrip(AMBIGUOUS))):
            place = Place(
                country=code,
                kind=Kind.PEOPLE,
                region=region,
                ambiguous=ambiguous,
                masculine=number == 0,
            )
            yield from terms(EXACT + form, place)
