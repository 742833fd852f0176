"""Who asks, and what they may do: the roles of a caller and the posts in whose name it submits.

A caller is a key or a person. What it may read is its `Reader`, the mandatory part of every query.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from schemas.moments import Moment
from schemas.note import STORABLE, Frozen, Line
from schemas.query import Reader
from schemas.vocabulary import Marking, posts

EVERY_POST = "*"
"""Stands for all posts, those added later too."""


class Role(StrEnum):
    """What a caller may do: submit notes for its posts, read by its clearance, administer.

    None implies another: an administrator's key reads nothing unless it says so.
    """

    SUBMIT = "submit"
    READ = "read"
    ADMINISTER = "administer"


def _known_posts(given: frozenset[str]) -> frozenset[str]:
    unknown = sorted(given - posts().keys() - {EVERY_POST})
    if unknown:
        raise ValueError(f"poste inconnu : {', '.join(unknown)}")
    return given


Posts = Annotated[frozenset[str], AfterValidator(_known_posts)]
Name = Annotated[
    Line, StringConstraints(min_length=1, max_length=200, pattern=STORABLE, strip_whitespace=True)
]


class Caller(Frozen):
    """Someone who is known: by a key (`key:12`) or as a person (`person:…`).

    `name` is what an administrator calls it, for the journal and for pages.
    """

    id: str
    name: str
    roles: frozenset[Role]
    posts: Posts = frozenset()
    reader: Reader

    def may(self, *roles: Role) -> bool:
        """Whether it has one of these roles."""
        return not self.roles.isdisjoint(roles)

    def submits_for(self, post: str) -> bool:
        """Whether it sends notes in that post's name."""
        return Role.SUBMIT in self.roles and not self.posts.isdisjoint({post, EVERY_POST})


class Rights(Frozen):
    """What a key may do, as an administrator sets it.

    `submit` needs at least one post, `*` stands for all of them; `clearance` and `special_france`
    bear on what `read` shows.
    """

    roles: frozenset[Role] = Field(min_length=1, description="Rôles de la clé")
    posts: Posts = Field(default=frozenset(), description="Postes au nom desquels elle dépose")
    clearance: Marking = Field(
        default=Marking.NON_PROTEGE, description="Mention la plus restrictive qu'elle peut lire"
    )
    special_france: bool = Field(default=False, description="Lit aussi « Spécial France »")

    @model_validator(mode="after")
    def _submits_for_someone(self) -> Self:
        if (Role.SUBMIT in self.roles) != bool(self.posts):
            raise ValueError("le rôle submit et des postes vont ensemble")
        return self

    def reader(self, name: str) -> Reader:
        """What may be read with these rights."""
        known = list(Marking)
        return Reader(
            name=name,
            markings=frozenset(known[: known.index(self.clearance) + 1]),
            special_france=self.special_france,
        )


class Person(Frozen):
    """Someone whom the identity provider vouches for, in ProConnect's words.

    `sub` is their lasting id there; `siret` names their establishment, `idp_id` the directory that
    knows them. What they may do is not here: the mapping file says it.
    """

    sub: str = Field(min_length=1, max_length=190, pattern=STORABLE)
    email: str = Field(default="", max_length=320, pattern=STORABLE)
    given_name: str = Field(default="", max_length=200, pattern=STORABLE)
    usual_name: str = Field(default="", max_length=200, pattern=STORABLE)
    siret: str = Field(default="", max_length=64, pattern=STORABLE)
    organizational_unit: str = Field(default="", max_length=500, pattern=STORABLE)
    idp_id: str = Field(default="", max_length=200, pattern=STORABLE)

    @property
    def name(self) -> str:
        """What pages and the journal call them, in at most 200 characters."""
        known = f"{self.given_name} {self.usual_name}".strip()
        return (known or self.email or self.sub)[:200]

    @property
    def id(self) -> str:
        """Their id as a caller, in at most 200 characters."""
        return f"person:{self.sub}"


class KeyOrder(Frozen):
    """A key to be made. Without `expires_at` it holds until it is revoked."""

    name: Name = Field(description="À qui ou à quoi elle sert")
    rights: Rights
    expires_at: Moment | None = Field(default=None, description="Fin de validité")


class KeyView(Frozen):
    """A key as an administrator sees it; the key itself is shown once, when it is made."""

    number: int
    name: str
    rights: Rights
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def holds(self, now: datetime) -> bool:
        """Whether it may be used at that moment."""
        if self.revoked_at is not None:
            return False
        return self.expires_at is None or now < self.expires_at


class NewKey(KeyView):
    """A key that was just made: `key` is shown this once and kept nowhere."""

    key: str


class KeyList(Frozen):
    """All keys, the newest first; revoked and expired ones too."""

    keys: list[KeyView]


class SignInLink(Frozen):
    """A link that opens the pages once, with the rights of the key that asked for it."""

    url: str
    expires_at: datetime


class Me(Frozen):
    """What the service knows of who is asking."""

    id: str
    name: str
    roles: list[Role]
    posts: list[str]
    markings: list[Marking]
    special_france: bool
