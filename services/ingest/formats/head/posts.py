"""The post that sends a document, as its letterhead, its dateline or a label names it."""

from functools import cache

from schemas import vocabulary
from services.ingest.formats.head.folding import folded

_TITLES = {
    "ambassade de france a": "",
    "consulat general de france a": "",
    "representation permanente de la france": "bruxelles",
    "rp bruxelles": "bruxelles",
    "rpue": "bruxelles",
    "rpfue": "bruxelles",
    "mission permanente de la france aupres de l'office des nations unies a geneve": "geneve",
    "rp geneve": "geneve",
    "mission permanente geneve": "geneve",
    "rp new york": "new_york",
    "mission permanente new york": "new_york",
}
"""Beginnings of lines, as folded; empty: the city that follows says which post."""
_HALVES = frozenset(
    {
        *("ambassade", "ambassade de france", "consulat general", "consulat general de france"),
        *("representation permanente", "representation permanente de la france"),
        *("mission permanente", "mission permanente de la france"),
        "mission permanente de la france aupres des nations unies",
    }
)
_OFFICE_WORDS = frozenset(
    {
        *("ambassade", "ambafrance", "de", "france", "diplo", "diplomatie", "poste", "a", "social"),
        *("service", "sas", "conseiller", "conseillere", "affaires", "sociales", "cas", "rp"),
    }
)
"""Words beside a city in a telegram's sender (`ROME AMBASSADE`)."""
_EMBASSY = "ambassade de france "
_SENTENCE_ENDS = (".", ";", "!", "?")
LONGEST = 160


def named(value: str) -> str:
    """The post that a label names: by its code, its city or its title; empty where by none."""
    plain = folded(value).strip(" .")
    if plain in vocabulary.posts():
        return plain
    bare = " ".join(word for word in plain.replace("-", " ").split() if word not in _OFFICE_WORDS)
    return city(value) or titled(value) or (city(bare) if bare != plain else "")


def may_go_on(line: str) -> bool:
    """Whether a line may be the first half of a post's title."""
    return folded(line) in _HALVES


def city(text: str) -> str:
    """The post in a city; empty where there is none."""
    return _cities().get(folded(text).strip(" .-"), "")


def placed(place: str) -> str:
    """The post that a dateline's place is: a city, or an office in it."""
    return city(place) or titled(place)


def titled(line: str) -> str:
    """The post whose title a line is: `Ambassade de France en Allemagne`."""
    if line.endswith(_SENTENCE_ENDS) or len(line) > LONGEST:
        return ""
    plain = folded(line)
    for code, title in _posts_titles():
        if plain.startswith(title) and not plain[len(title) :][:1].isalpha():
            return code
    for beginning, code in _TITLES.items():
        if plain.startswith(beginning):
            return code or _cities().get(plain.removeprefix(beginning).strip(), "")
    return ""


def elsewhere(line: str) -> str:
    """The embassy that a line names and that is none of the network's, as written; or empty."""
    plain = folded(line)
    known = len(plain) < LONGEST // 2 and plain.startswith(_EMBASSY)
    return line if known and not line.endswith(_SENTENCE_ENDS) and not titled(line) else ""


def covers(code: str, office: str) -> bool:
    """Whether that post is the one for the country that an embassy's title names."""
    post = vocabulary.posts().get(code)
    if post is None:
        return False
    names = vocabulary.countries()
    said = folded(office)
    return any(folded(names[each.country]) in said for each in post.covers)


@cache
def _cities() -> dict[str, str]:
    return {folded(post.city): code for code, post in vocabulary.posts().items()}


@cache
def _posts_titles() -> list[tuple[str, str]]:
    return [
        (code, folded(post.title.partition(" (")[0])) for code, post in vocabulary.posts().items()
    ]
