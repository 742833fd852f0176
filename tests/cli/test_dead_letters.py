"""`valise dead-letters` and `valise expunge`: on a terminal, against a real service."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from schemas.topics import CLASSIFIED, SUBMITTED
from services.cli.dead_letters import content
from services.cli.terminal import say_text
from tests.builders import a_classified_note, a_note
from tests.cli.test_command import run
from tests.contract.log_places import eventually
from tests.ingest.conftest import listening
from tests.keys import SECRET, admit_everything
from tests.pipeline.deployments import free_port
from tests.search.desk import Desk

NOTE = "berlin/BER-2026-0142"


@pytest.mark.parametrize(
    "arguments",
    [
        ["dead-letters"],
        ["dead-letters", "show"],
        ["dead-letters", "show", "0"],
        ["dead-letters", "replay"],
        ["dead-letters", "replay", "3", "--all"],
        ["dead-letters", "list", "--note", "pas-un-identifiant"],
        ["expunge", NOTE],
        ["expunge", "pas-un-identifiant", "--reason", "x", "--yes"],
    ],
)
def test_wrong_use_exits_2(arguments: list[str]) -> None:
    failed = run(*arguments, VALISE_URL=f"http://127.0.0.1:{free_port()}")
    assert failed.returncode == 2, failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["dead-letters", "list"],
        ["dead-letters", "replay", "--all"],
        ["expunge", NOTE, "--reason", "x", "--yes"],
    ],
)
def test_without_a_service_the_command_says_so_and_exits_3(arguments: list[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    failed = run(*arguments, VALISE_URL=url)
    assert failed.returncode == 3
    assert url in failed.stderr


def test_bytes_from_outside_send_no_control_characters_to_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say_text(content({"encoding": "text", "data": "né\n\x1b[2J\u202e"}))
    assert capsys.readouterr().out == "né\n\\u001b[2J\\u202e\n"
    assert content({"encoding": "base64", "data": "/wA="}) == "(base64) /wA="


async def test_an_administrator_lists_shows_replays_and_expunges(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    admit_everything(desk.registry)
    desk.classify.subscribe()
    note = a_classified_note(a_note())
    async with listening(desk.app) as url:

        async def valise(*arguments: str) -> "subprocess.CompletedProcess[str]":
            return await asyncio.to_thread(run, *arguments, VALISE_URL=url, VALISE_KEY=str(SECRET))

        await eventually(desk.log.ready)
        desk.receive(note)
        refused = "refused by the index: no such field"
        good = await desk.park(CLASSIFIED.name, note.note_id, note, refused)
        bad = await desk.park(SUBMITTED.name, note.note_id, b"{", "not an event of x", offset=2)
        listed = await valise("dead-letters", "list")
        assert listed.returncode == 0, listed.stderr
        assert "2 mises à l'écart" in listed.stdout
        one = await valise("dead-letters", "list", "--reason", "REFUSED", "--json")
        assert json.loads(one.stdout)["number"] == good
        shown = await valise("dead-letters", "show", str(bad))
        assert "que faire : Ces octets" in shown.stdout
        assert (await valise("dead-letters", "show", "999")).returncode == 1
        replayed = await valise("dead-letters", "replay", "--all")
        assert replayed.returncode == 1  # one of them
        assert "1 relancée" in replayed.stdout
        assert f"{bad}  non relancée : Cette version" in replayed.stdout

        async def there() -> bool:
            return await desk.index.get(note.note_id) is not None

        await eventually(there)
        assert (await valise("dead-letters", "replay", str(bad))).returncode == 1
        gone = await valise("expunge", NOTE, "--reason", "erreur d'envoi", "--yes")
        assert gone.returncode == 0, gone.stderr
        assert gone.stdout.startswith("expurgée le ")
        assert not await there()
        assert (await valise("expunge", "rome/X", "--reason", "x", "--yes")).returncode == 1
