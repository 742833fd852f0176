"""A search as an address: query string to `Query` and back, for the API, the pages and the feeds.

Every parameter may be left empty, as a form sends it: an empty value puts no condition.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urlencode

from schemas.note import normalise_line
from schemas.query import (
    DEFAULT_PAGE,
    MAX_CHOICES,
    MAX_PAGE,
    MAX_WORDS,
    Query,
    Reader,
    Sort,
)
from schemas.vocabulary import (
    Genre,
    countries,
    full_subtheme,
    genres,
    language_code,
    posts,
    subthemes,
    themes,
)

MAX_CURSOR = 4_000
"""As schemas.query allows; the index's own cursors are much shorter."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_YEAR = re.compile(r"[12]\d{3}", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_SIZE = re.compile(r"\d{1,3}", re.ASCII)

Pairs = Sequence[tuple[str, str]]


class FieldError(NamedTuple):
    """What is wrong with one parameter, in French, and for closed lists the values known."""

    field: str
    detail: str
    known: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The entry of a problem's `errors`."""
        entry: dict[str, Any] = {"field": self.field, "detail": self.detail}
        return entry | {"known": list(self.known)} if self.known else entry


class WrongParameters(ValueError):
    """The query string asks for something this service does not know; `errors` says all of it."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(" ".join(error.detail for error in errors))
        self.errors = tuple(errors)


class _Refused(ValueError):
    """One value that its parameter does not take; the message is French."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its name in addresses, its field in `Query`, how a value is read.

    `known` lists the values of a closed list. `many` says whether it may be repeated.
    """

    name: str
    field: str
    read: Callable[[str], Any]
    about: str
    many: bool = True
    known: Callable[[], Iterable[str]] | None = None


MOST_ERRORS = 10
"""What an answer tells of a wrong query: enough to mend it, whatever was sent."""


def _code(known: Callable[[], Mapping[str, Any]]) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in known():
            raise _Refused("n'est pas une valeur connue")
        return value

    return read


def _subtheme(value: str) -> str:
    try:
        return full_subtheme(value)
    except ValueError:
        raise _Refused("n'est pas une valeur connue") from None


def _country(value: str) -> str:
    if value.upper() not in countries():
        raise _Refused("n'est pas un code de pays ISO 3166-1 à deux lettres (par exemple DE)")
    return value.upper()


def _language(value: str) -> str:
    if not _LANGUAGE.fullmatch(value):
        raise _Refused("n'est pas un code de langue ISO 639 (par exemple en)")
    return language_code(value)


def _year(value: str) -> int:
    if not _YEAR.fullmatch(value):
        raise _Refused("n'est pas une année en quatre chiffres")
    return int(value)


def _day(value: str) -> date:
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise _Refused("n'est pas une date de la forme AAAA-MM-JJ")


def _size(value: str) -> int:
    if _SIZE.fullmatch(value) and 1 <= int(value) <= MAX_PAGE:
        return int(value)
    raise _Refused(f"n'est pas un nombre de 1 à {MAX_PAGE}")


def _text(most: int) -> Callable[[str], str]:
    def read(value: str) -> str:
        try:
            line = normalise_line(value)
        except ValueError as error:
            raise _Refused(f"contient un {error}") from None
        if len(line) > most:
            raise _Refused(f"dépasse {most} caractères")
        return line

    return read


def _genre(value: str) -> Genre:
    return Genre(_code(genres)(value))


def _sorts() -> list[str]:
    return [sort.value for sort in Sort]


def _sort(value: str) -> Sort:
    if value not in _sorts():
        raise _Refused("n'est pas une valeur connue")
    return Sort(value)


def _choices(
    name: str,
    read: Callable[[str], Any],
    known: Callable[[], Mapping[str, Any]],
    what: str,
) -> tuple[Parameter, Parameter]:
    return (
        Parameter(name, name, read, f"{what} (l'un d'eux)", known=known),
        Parameter(f"{name}.not", f"{name}_not", read, f"{what} exclus", known=known),
    )


PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "q",
        "words",
        _text(MAX_WORDS),
        "Mots recherchés, expressions entre guillemets, -mot pour exclure, OU entre deux mots",
        many=False,
    ),
    *_choices("theme", _code(themes), themes, "Thèmes"),
    *_choices("subtheme", _subtheme, subthemes, "Sous-thèmes, theme.sous_theme"),
    *_choices("country", _country, countries, "Pays dont traite la note, codes ISO 3166-1"),
    Parameter(
        "country_any", "country_any", _country, "Pays traités ou mentionnés", known=countries
    ),
    *_choices("post", _code(posts), posts, "Postes"),
    *_choices("genre", _genre, genres, "Genres de documents"),
    Parameter("language", "language", _language, "Langues, codes ISO 639 (l'une d'elles)"),
    Parameter("language.not", "language_not", _language, "Langues exclues"),
    Parameter("year", "year", _year, "Années de la date de la note"),
    Parameter("from", "date_from", _day, "Date de la note, au plus tôt", many=False),
    Parameter("to", "date_to", _day, "Date de la note, au plus tard (incluse)", many=False),
    Parameter("received_from", "received_from", _day, "Reçue au plus tôt", many=False),
    Parameter("received_to", "received_to", _day, "Reçue au plus tard (incluse)", many=False),
    Parameter(
        "sort",
        "sort",
        _sort,
        "Ordre ; par défaut, pertinence s'il y a des mots, sinon date de réception",
        many=False,
        known=_sorts,
    ),
    Parameter("size", "size", _size, f"Notes par page, de 1 à {MAX_PAGE}", many=False),
    Parameter("cursor", "cursor", _text(MAX_CURSOR), "Suite d'une page (champ next)", many=False),
)

BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}
PAGING = frozenset({"sort", "size", "cursor"})
"""Parameters that say how to list, not what to look for: a feed has its own answers to them."""

INTERVALS = (("from", "to"), ("received_from", "received_to"))


def default_sort(words: str) -> Sort:
    """Best match where there are words to match, else the newest received first."""
    return Sort.RELEVANCE if words else Sort.RECEIVED


def query_of(pairs: Pairs, reader: Reader) -> Query:
    """The query that a query string asks for on behalf of a reader.

    `pairs` are its decoded names and values, in order. Raises WrongParameters, naming every
    parameter and value that is unknown.
    """
    errors: list[FieldError] = []
    fields: dict[str, Any] = {}
    for name, values in _grouped(pairs).items():
        parameter = BY_NAME.get(name)
        if parameter is None:
            errors.append(_unknown(name))
            continue
        read = _read(parameter, values, errors)
        if read:
            fields[parameter.field] = tuple(read) if parameter.many else read[0]
    errors += _reversed(fields)
    if errors:
        raise WrongParameters(errors[:MOST_ERRORS])
    fields.setdefault("sort", default_sort(fields.get("words", "")))
    return Query(reader=reader, **fields)


def params_of(query: Query, *, paging: bool = True) -> list[tuple[str, str]]:
    """The shortest query string, as pairs, that asks for this query; `query_of` reads it back.

    Without `paging`, the part that says what to look for, and not how to list it.
    """
    pairs: list[tuple[str, str]] = []
    for parameter in PARAMETERS:
        if not paging and parameter.name in PAGING:
            continue
        value = getattr(query, parameter.field)
        if parameter.many:
            pairs += [(parameter.name, str(one)) for one in value]
        elif value not in (None, "") and value != _default(parameter.name, query):
            pairs.append((parameter.name, str(value)))
    return pairs


def address(path: str, query: Query, *, paging: bool = True) -> str:
    """`path` with the query as its query string, if it has any."""
    params = params_of(query, paging=paging)
    return f"{path}?{urlencode(params)}" if params else path


def openapi_parameters() -> list[dict[str, Any]]:
    """The parameters as OpenAPI describes them."""
    return [
        {
            "name": parameter.name,
            "in": "query",
            "required": False,
            "description": parameter.about,
            "schema": _schema(parameter),
        }
        for parameter in PARAMETERS
    ]


def _schema(parameter: Parameter) -> dict[str, Any]:
    one: dict[str, Any] = {"type": "string"}
    if parameter.read in (_year, _size):
        one = {"type": "integer"}
    if parameter.read is _day:
        one["format"] = "date"
    if parameter.known:
        one["enum"] = list(parameter.known())
    return {"type": "array", "items": one} if parameter.many else one


def _default(name: str, query: Query) -> Any:
    return {"sort": default_sort(query.words), "size": DEFAULT_PAGE}.get(name)


def _grouped(pairs: Pairs) -> dict[str, list[str]]:
    """Values by name, in order, empty ones left out and repeated ones taken once."""
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        known = grouped.setdefault(name, [])
        stripped = value.strip()
        if stripped and stripped not in known:
            known.append(stripped)
    return grouped


def _read(parameter: Parameter, values: list[str], errors: list[FieldError]) -> list[Any]:
    """The parameter's values; what is wrong with them is added to `errors`."""
    name = parameter.name
    if not parameter.many and len(values) > 1:
        errors.append(FieldError(name, f"Le paramètre « {name} » ne se donne qu'une fois."))
        return []
    read: list[Any] = []
    for value in values:
        try:
            one = parameter.read(value)
        except _Refused as refused:
            errors.append(_refused(parameter, value, str(refused)))
            continue
        if one not in read and one != "":
            read.append(one)
    if len(read) > MAX_CHOICES:
        detail = f"Le paramètre « {name} » prend {MAX_CHOICES} valeurs au plus."
        errors.append(FieldError(name, detail))
        return []
    return read


SHOWN = 60
"""Characters of a refused value that are said back."""
LISTED = 40
"""Known values that fit in a sentence; the whole list is in the problem's `errors`."""


VALUES, NAMES = " Valeurs possibles : ", " Paramètres possibles : "
"""What the list of codes begins with that may stand in the place of a wrong one."""


def _refused(parameter: Parameter, value: str, why: str) -> FieldError:
    shown = value if len(value) <= SHOWN else value[:SHOWN] + "…"
    known = tuple(parameter.known()) if parameter.known else ()
    detail = f"Paramètre « {parameter.name} » : « {shown} » {why}."
    if known and len(known) <= LISTED:
        detail += f"{VALUES}{', '.join(known)}."
    return FieldError(parameter.name, detail, known)


def _unknown(name: str) -> FieldError:
    shown = name if len(name) <= SHOWN else name[:SHOWN] + "…"
    known = tuple(BY_NAME)
    detail = f"Paramètre inconnu : « {shown} ».{NAMES}{', '.join(known)}."
    return FieldError(shown, detail, known)


def _reversed(fields: Mapping[str, Any]) -> list[FieldError]:
    """An interval whose end comes before its beginning can only be a slip."""
    errors = []
    for first, last in INTERVALS:
        begin = fields.get(BY_NAME[first].field)
        end = fields.get(BY_NAME[last].field)
        if begin and end and begin > end:
            detail = f"Le paramètre « {first} » est postérieur au paramètre « {last} »."
            errors.append(FieldError(first, detail))
    return errors
