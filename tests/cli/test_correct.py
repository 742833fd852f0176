"""`valise correct` and `valise corrections export` without a server, and against a broken one."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from fastapi import FastAPI
from fastapi.responses import Response, StreamingResponse

from services.cli.correct import choice, in_force
from services.runtime import web
from tests.cli.test_command import run
from tests.pipeline.deployments import free_port

NOTE = "berlin/BER-2026-0142"


@pytest.mark.parametrize(
    "arguments",
    [
        ["correct", NOTE],
        ["correct", NOTE, "--theme", "cuisine", "--no-country"],
        ["correct", NOTE, "--no-theme", "--country", "Allemagne"],
        ["correct", NOTE, "--theme", "sante", "--no-theme"],
        ["correct", "pas-un-identifiant", "--no-theme"],
        ["corrections"],
        ["corrections", "import"],
    ],
)
def test_wrong_use_exits_2(arguments: list[str]) -> None:
    failed = run(*arguments, VALISE_URL=f"http://127.0.0.1:{free_port()}")
    assert failed.returncode == 2, failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["correct", NOTE, "--theme", "sante"],
        ["correct", NOTE, "--theme", "sante", "--no-country"],
        ["corrections", "export"],
    ],
)
def test_without_a_service_the_command_says_so_and_exits_3(arguments: list[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    failed = run(*arguments, VALISE_URL=url)
    assert failed.returncode == 3
    assert url in failed.stderr
    assert "Traceback" not in failed.stderr


def test_none_is_said_and_nothing_is_not() -> None:
    assert choice(["sante"], False, "--theme", "--no-theme") == ["sante"]
    assert choice(None, True, "--theme", "--no-theme") == []
    assert choice(None, False, "--theme", "--no-theme") is None
    with pytest.raises(typer.BadParameter):
        choice(["sante"], True, "--theme", "--no-theme")


def test_what_is_not_given_is_taken_over_from_what_holds() -> None:
    view: dict[str, Any] = {
        "themes": [
            {"theme": "sante", "subthemes": ["hopital", "medicaments"]},
            {"theme": "travail", "subthemes": []},
        ],
        "countries": [{"country": "DE", "role": "about"}, {"country": "FR", "role": "mentioned"}],
    }
    assert in_force(view) == {
        "themes": ["sante.hopital", "sante.medicaments", "travail"],
        "countries": ["DE"],
    }


@contextmanager
def breaking_off() -> Iterator[str]:
    """The address of a service whose export ends in the middle."""
    app = FastAPI()

    async def lines() -> AsyncIterator[bytes]:
        yield b'{"id": 1}\n'
        raise RuntimeError("the engine went away")

    @app.get("/api/v1/corrections")
    async def corrections() -> Response:
        return StreamingResponse(lines(), media_type="application/x-ndjson")

    with web.listen("127.0.0.1", 0) as listener:
        server = web.Server(app)
        serving = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        serving.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            serving.join(30)


def test_an_export_that_breaks_off_is_no_export(tmp_path: Path) -> None:
    kept = tmp_path / "corrections.jsonl"
    kept.write_text("d'avant\n")
    with breaking_off() as url:
        failed = run("corrections", "export", "--output", str(kept), VALISE_URL=url)
    assert failed.returncode == 3, failed.stderr
    assert kept.read_text() == "d'avant\n"
    assert list(tmp_path.iterdir()) == [kept]


def test_a_place_that_cannot_be_written_is_wrong_use(tmp_path: Path) -> None:
    with breaking_off() as url:
        failed = run(
            "corrections", "export", "--output", str(tmp_path / "absent" / "x"), VALISE_URL=url
        )
    assert failed.returncode == 2
    assert "Traceback" not in failed.stderr
