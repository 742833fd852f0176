"""The command's frame is French: help of every command, each kind of wrong use, questions."""

import io
import re
from collections.abc import Iterator

import pytest
import typer

from services.cli import app, french

ENGLISH = re.compile(
    r"\b(Usage|Options:|Arguments:|Commands|Show this|required|default|env var|Try|Error|Missing|"
    r"Invalid|No such|Got unexpected|does not|Did you mean|Input should|is not|Aborted|COMMAND|"
    r"ARGS|range|<str>|<int>|<path>)\b"
)


def commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, each in getattr(group, "commands", {}).items():
        yield from commands(each, (*path, name))


def asked(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["valise", *arguments])
    return french.run(app)


@pytest.mark.parametrize("path", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_help_is_french_throughout(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(monkeypatch, *path, "--help") == 0
    said = capsys.readouterr().out
    assert said.startswith("Utilisation : valise")
    assert "Montre cette aide." in said
    assert not ENGLISH.search(said), said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sumbit"], "commande inconnue : sumbit (proches : submit)"),
        (["inconnue"], "commande inconnue : inconnue"),
        (["keys", "ad"], "proches : add"),
        (["submit"], "argument obligatoire : FICHIER"),
        (["expunge", "berlin/BER-1"], "option obligatoire : --reason"),
        (["submit", "--poste", "berlin"], "option inconnue : --poste (proches : --date, --post)"),
        (["search", "--size"], "l'option --size demande une valeur"),
        (["serve", "--port", "huit"], "valeur non valide pour --port : « huit »"),
        (["serve", "--port", "70000"], "au plus 65535"),
        (["keys", "add", "x", "--role", "lire"], "valeurs admises : submit, read, administer"),
        (["journal", "--from", "hier"], "une date est attendue"),
        (["login", "--json=oui"], "l'option --json ne prend pas de valeur"),
        (["trace", "a", "b"], "argument en trop : b"),
        (["trace", "pas-un-identifiant"], "Erreur : un identifiant (UUID)"),
    ],
)
def test_wrong_use_is_said_in_french(
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert asked(monkeypatch, *arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert not ENGLISH.search(said), said


def test_a_group_without_a_command_shows_its_help_and_exits_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(monkeypatch, "keys") == 2
    assert "Commandes :" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("o\n", True),
        ("Oui\n", True),
        ("y\n", True),
        ("\n", False),
        ("non\n", False),
        ("peut-être\noui\n", True),
    ],
)
def test_a_question_takes_french_answers(
    typed: str, answer: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert french.confirmed("Supprimer ?") is answer
    assert "[o/N]" in capsys.readouterr().err


def test_nobody_to_answer_ends_in_abandon(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    outer = french.App()

    @outer.command("ask")
    def ask() -> None:
        french.confirmed("Supprimer ?")

    monkeypatch.setattr("sys.argv", ["ask"])
    assert french.run(outer) == 1
    assert "Abandon." in capsys.readouterr().err
