"""Another process of the services' user on the same machine: it looks into none of theirs."""

from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from services.runtime.registry import Registry
from tests.pipeline.deployments import Embedded, children, deployment_of, running
from tests.security.conftest import key_of
from tests.security.looking import WITHOUT_RIGHTS, looked_into

NEEDS_NOTHING = b"multiprocessing.resource_tracker"
"""Python's own process, which counts the locks of others. It keeps the environment it was started
with, and nobody can tell it otherwise (docs/security.md)."""


@pytest.mark.parametrize("kind", ["embedded", pytest.param("distributed", marks=pytest.mark.live)])
def test_nobody_looks_into_a_service_or_its_processes(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    deployment = deployment_of(kind, tmp_path, "neighbours", request)
    embedded = isinstance(deployment, Embedded)
    services = [deployment.server] if embedded else list(deployment.services.values())
    for service in services:
        service._command[:0] = WITHOUT_RIGHTS
    with running(deployment):
        if embedded:
            _preview(deployment)  # starts a process
        family = [pid for service in services for pid in _family(service.pid)]
        assert len(family) == 3  # the server, classify and previews; or the three services
        for pid in family:
            got = looked_into(pid)
            assert (got.environment, got.memory) == (b"", False), _command(pid)


def _preview(deployment: Embedded) -> None:
    registry = Registry(deployment.registry_url)
    try:
        key = key_of(registry, "read")
    finally:
        registry.close()
    draft = {"subject": "Réforme des retraites", "body": "La réforme est adoptée."}
    url = f"{deployment.server.url}/api/v1/preview"
    answer = httpx.post(url, json=draft, headers=key, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text


def _family(pid: int) -> list[int]:
    """A process and all that come of it."""
    found = [pid]
    for child in children(pid):
        if NEEDS_NOTHING not in _command(child):
            found += _family(child)
    return found


def _command(pid: int) -> bytes:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
