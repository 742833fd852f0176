"""Whom a filter of the journal means: an id as the journal has it, or a name."""

import re
import unicodedata
from collections.abc import Mapping
from difflib import get_close_matches

from services.runtime.problems import ProblemError
from services.runtime.registry import Registry

MOST_NEAR = 3
_ID = re.compile(r"[a-z]+:\S+")


def ids_of(registry: Registry, who: str) -> str | tuple[str, ...]:
    """Return the id or ids that `who` means: an id, known or not, else all of that name.

    A name counts whatever its capitals, accents and blanks. Blocking. Raises ProblemError (422)
    for what is neither, naming those that are near; Unavailable.
    """
    known = {f"key:{key.number}": key.name for key in registry.all_keys()}
    known |= registry.journal_names()
    if who in known or _ID.fullmatch(who):
        return who
    wanted = _bare(who)
    found = tuple(each for each, name in known.items() if wanted in (_bare(name), each.casefold()))
    if found:
        return found
    raise ProblemError(422, errors=[{"field": "who", "detail": _unknown(who, wanted, known)}])


def _unknown(who: str, wanted: str, known: Mapping[str, str]) -> str:
    """That nobody is called this, and who is called nearly so."""
    by_name: dict[str, str] = {}
    for each, name in known.items():
        by_name.setdefault(_bare(name), f"« {name} » ({each})")
        by_name.setdefault(each.casefold(), f"« {name} » ({each})")
    part = [name for name in by_name if wanted and wanted in name]
    near = [*part, *get_close_matches(wanted, by_name, n=MOST_NEAR, cutoff=0.6)]
    listed = list(dict.fromkeys(by_name[name] for name in near))[:MOST_NEAR]
    said = f"ni clé ni personne connue sous « {who} »"
    return f"{said} ; proches : {', '.join(listed)}" if listed else said


def _bare(name: str) -> str:
    parts = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(sign for sign in parts if not unicodedata.combining(sign)).split())
