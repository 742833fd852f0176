"""The command as an administrator uses it on a running service: what asks, shows and names."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.deployments import VALISE, Embedded, environment, running

PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with running(Embedded(tmp_path_factory.mktemp("administering"))) as found:
        yield found


def valise(
    deployment: Embedded, *arguments: str, typed: str = "", **env: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [VALISE, *arguments],
        env=environment(deployment) | env,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def a_note(folder: Path, reference: str, text: str = "Le Bundestag a voté la réforme.") -> Path:
    path = folder / f"{reference}.txt"
    path.write_text(
        f"Objet : Retraites en Allemagne\nRéférence : {reference}\n"
        f"Berlin, le 4 mars 2026\n\n{text}",
        encoding="utf-8",
    )
    return path


def test_expunge_shows_the_note_and_takes_oui_alone(deployment: Embedded, tmp_path: Path) -> None:
    note = "berlin/BER-2026-1"
    assert valise(deployment, "submit", "--post", "berlin", str(a_note(tmp_path, "BER-2026-1")))
    ordered = ("expunge", note, "--reason", "envoi par erreur")
    for typed in ("", "n\n", "\n"):
        refused = valise(deployment, *ordered, typed=typed)
        assert refused.returncode == 1
        assert "Abandon." in refused.stderr
    wait_for(deployment, note)
    shown = valise(deployment, *ordered, typed="n\n").stderr
    for said in ("berlin", "BER-2026-1", "2026-03-04", "Retraites en Allemagne"):
        assert said in shown
    done = valise(deployment, *ordered, typed="oui\n")
    assert done.returncode == 0, done.stderr
    assert "expurgée" in done.stdout
    unknown = valise(deployment, "expunge", "berlin/BER-0", "--reason", "x", typed="oui\n")
    assert unknown.returncode == 1
    assert "Aucune note" in unknown.stderr


def wait_for(deployment: Embedded, note: str) -> None:
    for _ in range(100):
        if '"indexed"' in valise(deployment, "trace", note, "--json").stdout:
            return
    raise AssertionError("not indexed")


def test_a_withdrawn_note_sent_again_names_the_command_that_brings_it_back(
    deployment: Embedded, tmp_path: Path
) -> None:
    path = a_note(tmp_path, "BER-2026-2")
    assert valise(deployment, "submit", str(path), "--post", "berlin").returncode == 0
    wait_for(deployment, "berlin/BER-2026-2")
    assert valise(deployment, "withdraw", "berlin/BER-2026-2").returncode == 0
    again = valise(deployment, "submit", str(path), "--post", "berlin")
    assert again.returncode == 1
    command = f"valise rectify {path} --note berlin/BER-2026-2"
    assert command in again.stdout
    assert valise(deployment, *command.split()[1:]).returncode == 0


@pytest.mark.parametrize("ending", ["html", "md"])
def test_one_note_in_two_formats_names_the_command_that_replaces_it(
    ending: str, deployment: Embedded, tmp_path: Path
) -> None:
    reference = f"BER-2026-3-{ending}"
    path = a_note(tmp_path, reference)
    assert valise(deployment, "submit", str(path), "--post", "berlin").returncode == 0
    other = tmp_path / f"la note.{ending}"
    other.write_text(path.read_text(encoding="utf-8") + "\n\nAutre paragraphe.", encoding="utf-8")
    if ending == "html":
        lines = other.read_text(encoding="utf-8").splitlines()
        text = "".join(f"<p>{line}</p>" for line in lines)
        other.write_text(f"<html><meta charset=utf-8><body>{text}</body></html>", encoding="utf-8")
    answer = valise(deployment, "submit", str(other), "--post", "berlin", "--json")
    (said,) = map(json.loads, answer.stdout.splitlines())
    assert said["outcome"] == "conflict"
    assert "texte" in said["detail"]
    assert f"valise rectify '{other}' --note berlin/{reference}" in said["detail"]


def test_the_last_administrator_is_asked_about_and_a_restart_says_that_it_made_another(
    deployment: Embedded,
) -> None:
    refused = valise(deployment, "keys", "revoke", "1", typed="n\n")
    assert refused.returncode == 1
    assert "dernière clé" in refused.stderr
    assert "Abandon." in refused.stderr
    assert valise(deployment, "keys", "list").returncode == 0
    assert valise(deployment, "keys", "revoke", "1", typed="oui\n").returncode == 0
    # What a service knows of a key may be a moment old.
    until = time.monotonic() + PATIENCE_SECONDS
    while valise(deployment, "keys", "list").returncode == 0 and time.monotonic() < until:
        time.sleep(0.2)
    assert valise(deployment, "keys", "list").returncode == 1


@pytest.mark.parametrize("blanks", ["\n", " ", "\r\n"])
def test_blanks_round_a_key_are_no_part_of_it(blanks: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"\ufeffvalise_a_b{blanks}", encoding="utf-8")
    for env in ({"VALISE_KEY_FILE": str(file)}, {"VALISE_KEY": f"valise_a_b{blanks}"}):
        answer = subprocess.run(
            [VALISE, "search", "retraites"],
            env={"PATH": "/usr/bin:/bin", "VALISE_URL": "http://127.0.0.1:9", **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert answer.returncode == 3, answer.stderr
        assert "ne répond pas" in answer.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("keys", "--help")])
def test_a_full_disk_under_the_output_is_one_line(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [VALISE, *arguments],
            env={"PATH": "/usr/bin:/bin"},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert ended.returncode == 1
    assert ended.stderr == "valise : disque plein\n"
