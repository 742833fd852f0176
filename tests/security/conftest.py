"""Running deployments for all attacks, each with two notes, and a key for each role."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import httpx
import pytest

from schemas.access import EVERY_POST, Role
from services.runtime.registry import Registry
from tests.ingest.conftest import BERLIN
from tests.keys import a_key
from tests.pipeline.deployments import (
    START_SECONDS,
    Deployment,
    Embedded,
    Process,
    deployment_of,
    running,
)
from tests.security.routes import ADMITS, served_by, unknown_id

NOTES = (
    BERLIN,
    BERLIN | {"post": "rome", "reference": "ROM-1", "subject": "Hôpitaux : le plan italien"},
)
"""The first one's post is that of the key that submits; the second one is foreign to it."""

RIGHTS = {
    "none": None,
    "submit": ({Role.SUBMIT}, {"posts": frozenset({"berlin"})}),
    "read": ({Role.READ}, {}),
    "administer": ({Role.ADMINISTER}, {}),
    "all": (
        set(Role),
        {
            "posts": frozenset({EVERY_POST}),
            "clearance": "diffusion_restreinte",
            "special_france": True,
        },
    ),
}
"""Who attacks: nobody known, one of each role, and who may do everything."""

# The limits have tests of their own; here every attack must reach what it attacks.
NO_LIMITS = MappingProxyType({"VALISE_FAILURES": "0"})

SEARCHING = ["embedded", pytest.param("search", marks=pytest.mark.live)]
"""What answers searches, feeds and pages, on each deployment."""
EVERYTHING = [
    *SEARCHING,
    *(pytest.param(name, marks=pytest.mark.live) for name in ("ingest", "classify")),
]
"""What can be attacked: the embedded server, and each service of the distributed deployment."""


@dataclass
class Target:
    """What is attacked: its routes and its process, its deployment's registry and notes, a client
    without a key."""

    name: str
    process: Process
    deployment: Deployment
    registry: Registry
    client: httpx.Client
    ids: list[str]

    @property
    def url(self) -> str:
        return self.process.url

    @property
    def port(self) -> int:
        return self.process.port

    @property
    def admits(self) -> dict[str, str]:
        """Of the table of routes what this one answers."""
        mine = served_by(self.name)
        return {route: admitted for route, admitted in ADMITS.items() if route in mine}

    @property
    def open_to_readers(self) -> tuple[str, str]:
        """Method and path of a route that a reader may ask, with nothing there to be changed."""
        ways = {
            "ingest": ("GET", f"/api/v1/notes/{unknown_id()}/original"),
            "classify": ("POST", "/api/v1/preview"),
        }
        return ways.get(self.name, ("GET", "/api/v1/search"))

    def key(self, who: str) -> dict[str, str]:
        """The header of a new key for this role; none for nobody."""
        return key_of(self.registry, who)


@dataclass
class Attacked:
    """A running deployment, its registry, the notes it was given."""

    deployment: Deployment
    registry: Registry
    ids: list[str]


@pytest.fixture(scope="session")
def attacked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Attacked]]:
    """The deployment of a kind, started when first asked for."""
    with ExitStack() as ended:

        @cache
        def of_kind(kind: str) -> Attacked:
            folder = tmp_path_factory.mktemp(kind)
            settings = {**NO_LIMITS, "VALISE_ORIGINALS": str(folder / "originals")}
            deployment = deployment_of(kind, folder, "attacks", request, settings)
            ended.enter_context(running(deployment))
            registry = Registry(deployment.registry_url)
            ended.callback(registry.close)
            everything = key_of(registry, "all")
            return Attacked(deployment, registry, submitted(deployment, everything))

        yield of_kind


@pytest.fixture(scope="session", params=EVERYTHING)
def target(request: pytest.FixtureRequest, attacked: Callable[[str], Attacked]) -> Iterator[Target]:
    """Everything that answers, one after the other; `searching` picks what answers searches."""
    name = request.param
    found = attacked("embedded" if name == "embedded" else "distributed")
    deployment = found.deployment
    process = deployment.server if isinstance(deployment, Embedded) else deployment.services[name]
    with httpx.Client(base_url=process.url, trust_env=False, timeout=60) as client:
        yield Target(name, process, deployment, found.registry, client, found.ids)


searching = pytest.mark.parametrize("target", SEARCHING, indirect=True)


def submitted(deployment: Deployment, key: dict[str, str]) -> list[str]:
    """The ids of the notes, once all of them are found."""
    with httpx.Client(headers=key, trust_env=False, timeout=60) as client:
        ids = []
        for note in NOTES:
            answer = client.post(f"{deployment.ingest}/api/v1/notes", json=note)
            assert answer.status_code == 202, answer.text
            ids.append(answer.json()["id"])
        end = time.monotonic() + START_SECONDS
        while client.get(f"{deployment.search}/api/v1/search").json()["total"] < len(NOTES):
            assert time.monotonic() < end
            time.sleep(0.05)
    return ids


def key_of(registry: Registry, who: str) -> dict[str, str]:
    """The header of a new key for this role; none for nobody."""
    given = RIGHTS[who]
    if given is None:
        return {}
    roles, rights = given
    return a_key(registry, *sorted(roles), **rights)
