"""The journal on each deployment: written at a stop, listed and verified by its command."""

import json
import re
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from schemas.answers import State
from services.runtime.registry import JournalFilter, Registry
from services.runtime.registry.database import Database
from services.runtime.registry.tables import revisions
from tests.pipeline.corpus import samples
from tests.pipeline.deployments import (
    VALISE,
    Deployment,
    Embedded,
    client_of,
    deployment_of,
    running,
)


@pytest.fixture(params=["embedded", pytest.param("distributed", marks=pytest.mark.live)])
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    with running(deployment_of(request.param, tmp_path, "journal", request)) as found:
        yield found


def valise(deployment: Deployment, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command, with the administrator's key."""
    return subprocess.run(
        [VALISE, *arguments],
        env={
            "VALISE_URL": deployment.search,
            "VALISE_KEY": deployment.key,
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_an_administrator_lists_the_journal_and_verifies_it(deployment: Deployment) -> None:
    with client_of(deployment.key, deployment.search) as http:
        for words in ("retraite", "santé"):
            assert http.get("/api/v1/search", params={"q": words}).status_code == 200
        assert http.get("/api/v1/search", headers={"Authorization": ""}).status_code == 401
    with client_of(deployment.key, deployment.ingest) as http:
        sent = http.post("/api/v1/notes", json=samples()[0])
        assert sent.status_code == 202, sent.text
    # The order to verify is written before its answer, and takes along what waited.
    whole = valise(deployment, "journal", "verify")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    head = re.search(r"[0-9]+:[0-9a-f]{64}", whole.stdout)
    assert head is not None
    assert valise(deployment, "journal", "verify", "--head", head[0]).returncode == 0
    listed = valise(deployment, "journal", "--action", "searched", "--json")
    found = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [each["details"]["words"] for each in found] == ["santé", "retraite"]
    note = valise(deployment, "journal", "--note", sent.json()["id"], "--from", "2020-01-01")
    assert "a transmis" in note.stdout
    assert "accès refusé" in valise(deployment, "journal").stdout
    foreign = f"{head[0].partition(':')[0]}:{'0' * 64}"
    altered = valise(deployment, "journal", "verify", "--head", foreign)
    assert altered.returncode == 1
    assert "n'a pas l'empreinte relevée" in altered.stdout
    assert valise(deployment, "journal", "verify", "--head", "12").returncode == 1


def test_a_stop_writes_what_waits_and_says_the_head(tmp_path: Path) -> None:
    with running(Embedded(tmp_path)) as deployment:
        with client_of(deployment.key, deployment.search) as http:
            for _ in range(20):
                assert http.get("/api/v1/search", params={"q": "retraite"}).status_code == 200
        assert deployment.server.terminate() == 0
        logs = deployment.logs()
    with closing(sqlite3.connect(next(tmp_path.rglob("registry.sqlite3")))) as connection:
        number, last = connection.execute(
            "SELECT number, hash FROM journal ORDER BY number DESC LIMIT 1"
        ).fetchone()
    assert number == 20
    assert f"head of the journal: 20:{last}" in logs


@pytest.mark.parametrize("killed", [False, True], ids=["hangs up", "kill -9"])
def test_every_note_that_was_taken_is_entered_once_however_its_request_ended(
    deployment: Deployment, killed: bool
) -> None:
    number = 3_000
    lines = [
        json.dumps(samples()[0] | {"reference": f"ESSAI-{at:05}"}).encode() for at in range(number)
    ]
    with (
        client_of(deployment.key, deployment.ingest) as http,
        http.stream(
            "POST",
            "/api/v1/notes",
            content=b"\n".join(lines),
            headers={"Content-Type": "application/x-ndjson"},
        ) as answer,
        suppress(httpx.TransportError),
    ):
        assert next(answer.iter_lines())
        if killed:
            deployment.kill_ingest()
    taken = at_rest(deployment)
    assert 0 < taken < number, "it ended in the midst"
    registry = Registry(deployment.registry_url)
    entries = registry.journal_page(JournalFilter(action="submitted"), limit=2 * number)
    registry.close()
    assert {(row.draft.who, row.draft.address) for row in entries} == {("key:1", "127.0.0.1")}
    assert len({row.draft.object for row in entries}) == len(entries) == taken
    assert valise(deployment, "journal", "verify").returncode == 0


def at_rest(deployment: Deployment) -> int:
    """How many notes the registry has, once none is pending and no more come."""
    database = Database(deployment.registry_url)
    count = sa.select(
        sa.func.count(),
        sa.func.count().filter(revisions.c.state == State.PENDING),
        sa.func.count(revisions.c.sender),
    )
    before, end = (0, 1, 0), time.monotonic() + 60
    while True:
        with database.reading() as connection:
            now = connection.execute(count).one()
        if tuple(now) == before and not now[1] and not now[2]:
            database.close()
            return int(now[0])
        assert time.monotonic() < end, now
        before = tuple(now)
        time.sleep(1)
