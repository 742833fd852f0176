"""One running embedded deployment for all attacks, with two notes, and a key for each role."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest

from schemas.access import EVERY_POST, Role
from services.runtime.registry import Registry
from tests.ingest.conftest import BERLIN
from tests.keys import a_key
from tests.pipeline.deployments import START_SECONDS, Embedded, running

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


@dataclass
class Target:
    """What is attacked: its address, its registry, a client without a key, the notes' ids."""

    deployment: Embedded
    registry: Registry
    client: httpx.Client
    ids: list[str]

    @property
    def url(self) -> str:
        return self.deployment.server.url

    @property
    def port(self) -> int:
        return self.deployment.server.port

    def key(self, who: str) -> dict[str, str]:
        """The header of a new key for this role; none for nobody."""
        given = RIGHTS[who]
        if given is None:
            return {}
        roles, rights = given
        return a_key(self.registry, *sorted(roles), **rights)


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("target")
    # The limits have tests of their own; here every attack must reach what it attacks.
    with running(Embedded(folder, VALISE_FAILURES="0")) as deployment:
        assert isinstance(deployment, Embedded)
        registry = Registry(f"sqlite:///{deployment.data / 'registry.sqlite3'}")
        with httpx.Client(base_url=deployment.server.url, trust_env=False, timeout=60) as client:
            target = Target(deployment, registry, client, [])
            everything = target.key("all")
            for note in NOTES:
                answer = client.post("/api/v1/notes", json=note, headers=everything)
                assert answer.status_code == 202, answer.text
                target.ids.append(answer.json()["id"])
            wait_for(client, everything)
            yield target
        registry.close()


def wait_for(client: httpx.Client, key: dict[str, str]) -> None:
    """Until all the notes are found."""
    end = time.monotonic() + START_SECONDS
    while client.get("/api/v1/search", headers=key).json()["total"] < len(NOTES):
        assert time.monotonic() < end
        time.sleep(0.05)


def unknown_id() -> str:
    """Of no note."""
    return str(uuid4())
