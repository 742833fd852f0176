"""What people may do: the mapping file, from organisation and e-mail address to rights.

The file says it anew at each request: who was taken out of it has no rights any more, whatever
session they hold. TOML, or JSON of the same shape:

    [[people]]
    siret = "13001653800014"        # or idp = "…", the directory that knows them: one of the two
    email = "camille.lemaire@sante.gouv.fr"        # or domain = "sante.gouv.fr", or neither
    roles = ["read"]
    clearance = "diffusion_restreinte"
"""

import json
import logging
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from schemas.access import Caller, Person, Posts, Rights, Role
from schemas.note import Frozen
from schemas.vocabulary import Marking
from services.runtime import french
from services.runtime.errors import Misconfigured
from services.runtime.reasons import reason

logger = logging.getLogger(__name__)

Lower = Annotated[str, StringConstraints(to_lower=True, pattern=r"^[!-~]+$", max_length=320)]
"""An address, or the end of one: plain ASCII, for which case does not count."""


class Rule(Frozen):
    """Rights of whoever fits all that it names. Without roles: none, for an exception."""

    siret: str | None = Field(default=None, pattern=r"^[0-9]{14}$")
    idp: str | None = Field(default=None, min_length=1, max_length=200)
    email: Lower | None = None
    domain: Lower | None = None
    roles: frozenset[Role]
    posts: Posts = frozenset()
    clearance: Marking = Marking.NON_PROTEGE
    special_france: bool = False

    @model_validator(mode="after")
    def _names_someone(self) -> Self:
        # An address alone would be believed of any directory that cares to state it.
        if self.siret is None and self.idp is None:
            raise ValueError("siret ou idp manque : sur la foi de qui ?")
        if self.email is not None and self.domain is not None:
            raise ValueError("email et domain : n'en garder qu'un")
        if self.email is not None and "@" not in self.email:
            raise ValueError("email : une adresse est attendue")
        if self.domain is not None and "@" in self.domain:
            raise ValueError("domain : sans ce qui précède @")
        if self.roles:
            self.rights()
        return self

    def rights(self) -> Rights:
        """What they may do. Raises ValueError where that does not fit together."""
        return Rights(
            roles=self.roles,
            posts=self.posts,
            clearance=self.clearance,
            special_france=self.special_france,
        )

    @property
    def names(self) -> tuple[str | None, ...]:
        """What it names, the most specific first."""
        return self.email, self.domain, self.siret, self.idp

    @property
    def precision(self) -> tuple[bool, ...]:
        """How specific it is: by address, by domain, by establishment, by directory."""
        return tuple(name is not None for name in self.names)

    def fits(self, person: Person) -> bool:
        """Whether the person is all that it names."""
        # Of letters that only look like those of an address, none makes somebody somebody else.
        email = person.email.lower() if person.email.isascii() else ""
        has = (email, email.rpartition("@")[2], person.siret, person.idp_id)
        return all(name in (None, found) for name, found in zip(self.names, has, strict=True))


class _File(Frozen):
    people: tuple[Rule, ...]


def rights_of(person: Person, rules: Sequence[Rule]) -> Rights | None:
    """What the most specific rule that fits gives the person; None: nothing, as without any."""
    fitting = max(
        (rule for rule in rules if rule.fits(person)), key=lambda rule: rule.precision, default=None
    )
    return fitting.rights() if fitting is not None and fitting.roles else None


def parsed(text: str, *, as_json: bool = False) -> tuple[Rule, ...]:
    """The rules in a file's text. Raises ValueError with one line that says what is wrong."""
    try:
        given: Any = json.loads(text) if as_json else tomllib.loads(text)
        rules = _File.model_validate(given).people
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(
            str(part + 1) if isinstance(part, int) else str(part) for part in first["loc"]
        )
        said = french.detail(first["type"], first.get("ctx") or {})
        raise ValueError(f"{where or 'fichier'} : {said}") from None
    except RecursionError:
        raise ValueError("imbrication trop profonde") from None
    seen: dict[tuple[str | None, ...], int] = {}
    for number, rule in enumerate(rules, start=1):
        earlier = seen.setdefault(rule.names, number)
        if earlier != number:
            raise ValueError(f"people.{number} : désigne les mêmes personnes que people.{earlier}")
    return rules


class People:
    """The mapping file, read again when it changes. Without a file nobody has rights."""

    def __init__(self, path: Path | None) -> None:
        """Read it. Raises Misconfigured with one line where it cannot be used."""
        self._path = path
        self._rules: tuple[Rule, ...] = ()
        self._state: tuple[int, ...] | None = None
        if path is None:
            return
        try:
            self._state = _state(path)
            self._rules = _read(path)
        except OSError as error:
            raise Misconfigured(f"VALISE_PEOPLE : {path} : {reason(error)}") from None
        except ValueError as error:
            raise Misconfigured(f"VALISE_PEOPLE : {path} : {error}") from None

    def caller(self, person: Person) -> Caller | None:
        """The person as a caller, with the rights of this moment; None without any."""
        self._read_again()
        rights = rights_of(person, self._rules)
        if rights is None:
            return None
        return Caller(
            id=person.id,
            name=person.name,
            roles=rights.roles,
            posts=rights.posts,
            reader=rights.reader(person.name),
        )

    def _read_again(self) -> None:
        """Take the file's changes. One that is wrong changes nothing, and is told once."""
        if self._path is None:
            return
        try:
            state = _state(self._path)
        except OSError:
            state = ()
        if state == self._state:
            return
        self._state = state
        try:
            self._rules = _read(self._path)
        except (OSError, ValueError) as error:
            logger.error("%s not taken, what it said before stays: %s", self._path, error)  # noqa: TRY400
        else:
            logger.info("%s taken: %d rules", self._path, len(self._rules))


def _read(path: Path) -> tuple[Rule, ...]:
    return parsed(path.read_text(encoding="utf-8"), as_json=path.suffix == ".json")


def _state(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
