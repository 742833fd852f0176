"""Nothing of others' text acts on a terminal, whichever command shows it."""

import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from services import cli
from services.runtime.visible import unseen, visible
from tests.cli.hostile import WORDS, hostile_service
from tests.pipeline.deployments import VALISE

NOTE = "berlin/BER-2026-0142"
NAME = WORDS.replace("/", "").replace("\n", " ")
"""As the name of a file."""

# What is asked of each command; FILE is a text with a hostile name, FOLDER one with none in it.
COMMANDS: dict[str, list[list[str]]] = {
    "submit": [["FILE"], ["FILE", "--preview"], ["FILE", "--json"], ["MISSING"]],
    "search": [["x"], ["x", "--json"]],
    "trace": [[NOTE], ["--post", "berlin"], [NOTE, "--json"]],
    "correct": [[NOTE, "--theme", "travail"], [NOTE, "--theme", WORDS], [NOTE, "--country", WORDS]],
    "rectify": [["FILE", "--note", NOTE], ["MISSING", "--note", NOTE]],
    "withdraw": [[NOTE]],
    "corrections export": [[], ["--output", "MISSING/x"]],
    "classify": [["FILE"], ["MISSING"]],
    "reclassify": [[], ["--json"]],
    "rebuild": [[], ["--json"]],
    "dead-letters list": [[], ["--json"]],
    "dead-letters show": [["1"], ["1", "--json"]],
    "dead-letters replay": [["1"], ["--all"]],
    "keys add": [[WORDS, "--role", "read"]],
    "keys list": [[], ["--json"]],
    "keys rotate": [["1"]],
    "keys revoke": [["1"]],
    "login": [[], ["--json"]],
    "journal": [[], ["--json"]],
    "journal verify": [[], ["--json"]],
    "expunge": [[NOTE, "--reason", "x", "--yes"]],
    "serve": [["--data", "FILE"]],
    "run": [["ingest"], [WORDS]],
    "backup": [["FILE"], ["MISSING", "--data", "FOLDER"]],
    "restore": [["MISSING", "--data", "FOLDER"], ["--log", "MISSING", "--data", "FOLDER"]],
    "provision": [[]],
}
LOCAL = {"classify", "serve", "run", "backup", "restore", "provision"}


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with hostile_service() as address:
        yield address


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """What stands for files in the table, with names to be afraid of."""
    file = tmp_path / f"{NAME}.txt"
    file.write_text(f"Réforme {NAME}\n\nLa retraite en Allemagne.\n{WORDS}", encoding="utf-8")
    folder = tmp_path / f"{NAME} d"
    folder.mkdir()
    missing = str(tmp_path / f"{NAME} missing.txt")
    return {"FILE": str(file), "FOLDER": str(folder), "MISSING": missing}


def shown(arguments: list[str], url: str, term: str = "dumb") -> str:
    """What a terminal gets of the command: its output and its errors."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [VALISE, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={"PATH": os.defpath, "LANG": "C.UTF-8", "TERM": term, "VALISE_URL": url},
    )
    os.close(theirs)
    found = b""
    try:
        while part := os.read(ours, 65536):
            found += part
    except OSError:
        pass  # the end of a terminal that nobody has open any more
    finally:
        os.close(ours)
        process.wait(60)
    assert process.returncode in (0, 1, 2, 3), found
    return found.decode().replace("\r\n", "\n")


def filled(arguments: list[str], places: dict[str, str]) -> list[str]:
    return [
        "/".join(places.get(part, part) for part in argument.split("/"))
        if argument.split("/")[0] in places
        else argument
        for argument in arguments
    ]


def acting(text: str) -> str:
    """Of a text what would act on a terminal."""
    return "".join(sign for sign in text if unseen(sign) and sign not in "\n\t")


def commands(group: click.Command, name: str = "") -> Iterator[str]:
    """All that can be asked, by name; a group counts where it does something by itself."""
    inner: dict[str, click.Command] = getattr(group, "commands", {})
    if name and (not inner or group.invoke_without_command):  # type: ignore[attr-defined]
        yield name
    for each in inner.values():
        yield from commands(each, f"{name} {each.name}".strip())


def test_every_command_is_in_the_table() -> None:
    assert set(commands(typer.main.get_command(cli.app))) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_text_of_others_acts_on_a_terminal_or_begins_a_line(
    command: str, service: str, places: dict[str, str]
) -> None:
    asked = [(service, arguments) for arguments in COMMANDS[command]]
    if command not in LOCAL:
        asked.append((f"{service}/refusing", COMMANDS[command][0]))
    for url, arguments in asked:
        text = shown([*command.split(), *filled(arguments, places)], url)
        assert acting(text) == "", (arguments, text)
        assert "Traceback" not in text
        quoted_by_click = WORDS in arguments and "Usage" in text
        assert quoted_by_click or not re.search(r"^ *FAUX", text, re.M), (arguments, text)


@pytest.mark.parametrize("command", ["search", "submit", "rebuild"])
def test_an_answer_that_is_none_is_not_shown(
    command: str, service: str, places: dict[str, str]
) -> None:
    text = shown([command, *filled(COMMANDS[command][0], places)], f"{service}/broken")
    assert acting(text) == ""
    assert "PWNED" not in text.replace(visible(NAME), "")


def test_an_argument_that_is_quoted_back_does_not_act(service: str) -> None:
    for arguments in (["search", f"--{WORDS}"], [WORDS], ["keys", WORDS]):
        text = shown(arguments, service)
        assert "PWNED" in text
        assert acting(text) == ""


@pytest.mark.parametrize("command", ["rebuild", "reclassify", "submit"])
def test_a_progress_bar_draws_itself_and_nothing_of_others(
    command: str, service: str, places: dict[str, str]
) -> None:
    text = shown([command, *filled(COMMANDS[command][0], places)], service, "xterm-256color")
    assert "\x1b[" in text, "no bar was drawn"
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", text)
    assert acting(drawn) == ""
    assert "\x1b[2J" not in text
    assert "\x1b]" not in text


def test_json_on_a_terminal_says_what_the_service_said(service: str) -> None:
    found = json.loads(shown(["journal", "--json"], service))
    assert found["name"] == found["details"]["tried"] == WORDS
    (line,) = shown(["corrections", "export"], service).splitlines()
    assert json.loads(line) == {"text": WORDS}


def test_what_is_no_terminal_gets_data_byte_for_byte(service: str) -> None:
    env = {"PATH": os.defpath, "LANG": "C.UTF-8", "VALISE_URL": service}
    ran = subprocess.run(
        [VALISE, "corrections", "export"], env=env, capture_output=True, check=True, timeout=60
    )
    assert ran.stdout == json.dumps({"text": WORDS}, ensure_ascii=False).encode()


def test_no_command_speaks_past_the_one_place() -> None:
    folder = Path(cli.__file__).parent
    for file in folder.glob("*.py"):
        if file.name != "terminal.py":
            past = re.findall(
                r"(?:typer|click)\.s?echo|\bprint\(|std(?:out|err)\.write", file.read_text()
            )
            assert past == [], file.name
