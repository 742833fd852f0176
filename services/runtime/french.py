"""pydantic's complaints in French, for whoever sent the data."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

MOST_ERRORS = 20
"""Enough to correct a note by; a hostile one could have thousands."""
MOST_CHARACTERS = 200
"""Of a field's name or of a complaint: both can hold what was sent."""

_Context = Mapping[str, Any]

_TEXTS: dict[str, str] = {
    "missing": "champ obligatoire",
    "extra_forbidden": "champ inconnu",
    "string_type": "texte attendu",
    "string_unicode": "texte Unicode non valide",
    "string_too_short": "texte trop court",
    "bool_type": "vrai ou faux attendu (true ou false)",
    "bool_parsing": "vrai ou faux attendu (true ou false)",
    "int_type": "nombre entier attendu",
    "int_parsing": "nombre entier attendu",
    "int_parsing_size": "nombre trop grand",
    "int_from_float": "nombre entier attendu",
    "float_type": "nombre attendu",
    "float_parsing": "nombre attendu",
    "finite_number": "nombre fini attendu",
    "date_type": "date attendue, sous la forme AAAA-MM-JJ",
    "date_parsing": "date non valide : la forme attendue est AAAA-MM-JJ",
    "date_from_datetime_parsing": "date non valide : la forme attendue est AAAA-MM-JJ",
    "date_from_datetime_inexact": "date sans heure attendue, sous la forme AAAA-MM-JJ",
    "datetime_type": "date et heure attendues (ISO 8601)",
    "datetime_parsing": "date et heure non valides (ISO 8601)",
    "datetime_from_date_parsing": "date et heure non valides (ISO 8601)",
    "timezone_aware": "date et heure avec fuseau horaire attendues",
    "uuid_type": "identifiant non valide",
    "uuid_parsing": "identifiant non valide",
    "uuid_version": "identifiant non valide",
    "list_type": "liste attendue",
    "tuple_type": "liste attendue",
    "set_type": "liste attendue",
    "frozen_set_type": "liste attendue",
    "dict_type": "objet JSON attendu",
    "model_type": "objet JSON attendu",
    "model_attributes_type": "objet JSON attendu",
    "string_pattern_mismatch": "forme non valide",
    "json_invalid": "JSON non valide",
}

_WITH_CONTEXT: dict[str, Callable[[_Context], str]] = {
    # Our own validators speak French already.
    "value_error": lambda context: str(context.get("error") or "valeur non valide"),
    "enum": lambda context: f"valeur inconnue ; valeurs admises : {_choices(context)}",
    "literal_error": lambda context: f"valeur inconnue ; valeurs admises : {_choices(context)}",
    "string_too_long": lambda context: f"texte trop long : {context['max_length']} au plus",
    "too_long": lambda context: (
        f"trop long : {context['max_length']} éléments au plus"
        if context.get("field_type") in {"Tuple", "List", "Set", "Frozenset", "Dictionary"}
        else f"texte trop long : {context['max_length']} caractères au plus"
    ),
    "too_short": lambda context: f"au moins {context['min_length']} élément(s) attendu(s)",
    "greater_than": lambda context: f"doit être supérieur à {context['gt']}",
    "greater_than_equal": lambda context: f"doit être au moins {context['ge']}",
    "less_than": lambda context: f"doit être inférieur à {context['lt']}",
    "less_than_equal": lambda context: f"doit être au plus {context['le']}",
}

_PLACES = {"query", "path", "header", "cookie", "body"}
"""Where FastAPI says that a parameter was; not part of its name."""


def complaints(errors: Iterable[Any], whole: str = "note") -> list[dict[str, str]]:
    """`[{"field": "subject", "detail": "champ obligatoire"}]` from pydantic's or FastAPI's errors.

    Takes what `ValidationError.errors()` gives; `whole` names what was sent, where the complaint is
    about no single field. At most MOST_ERRORS, none twice.
    """
    found: list[dict[str, str]] = []
    for error in errors:
        complaint = {
            "field": _cut(_field(tuple(error["loc"])) or whole),
            "detail": _cut(detail(error["type"], error.get("ctx") or {})),
        }
        if complaint not in found:
            found.append(complaint)
        if len(found) == MOST_ERRORS:
            break
    return found


def detail(kind: str, context: _Context) -> str:
    """What is wrong, in French, for one type of pydantic's errors with its context."""
    said = _WITH_CONTEXT.get(kind)
    if said is not None:
        return said(context)
    return _TEXTS.get(kind, "valeur non valide")


def _field(place: tuple[Any, ...]) -> str:
    inner = place[1:] if len(place) > 1 and place[0] in _PLACES else place
    return ".".join(str(part) for part in inner)


def _choices(context: _Context) -> str:
    return str(context.get("expected", "")).replace("'", "").replace(" or ", ", ")


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
