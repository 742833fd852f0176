"""The command without a server: wrong use, no service, reading files."""

import os
import signal
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from services.cli.submit import Draft, Result, _once, expand, plural, summary
from tests.pipeline.deployments import VALISE, Process, free_port


def run(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [VALISE, *arguments],
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def nobody() -> dict[str, str]:
    """An address where nothing listens."""
    return {"VALISE_URL": f"http://127.0.0.1:{free_port()}"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "retraites"],
        ["trace", "berlin/BER-2026-0142"],
    ],
)
def test_without_a_service_the_command_says_so_and_exits_3(
    arguments: list[str], nobody: dict[str, str]
) -> None:
    failed = run(*arguments, **nobody)
    assert failed.returncode == 3
    assert nobody["VALISE_URL"] in failed.stderr
    assert "Traceback" not in failed.stderr


def test_submitting_without_a_service_exits_3(tmp_path: Path, nobody: dict[str, str]) -> None:
    note = tmp_path / "BER-1.txt"
    note.write_text("Objet\n\nCorps", encoding="utf-8")
    failed = run("submit", str(note), "--post", "berlin", **nobody)
    assert failed.returncode == 3
    assert "Traceback" not in failed.stderr


def test_a_text_without_a_post_is_wrong_use(tmp_path: Path, nobody: dict[str, str]) -> None:
    note = tmp_path / "BER-1.txt"
    note.write_text("Objet\n\nCorps", encoding="utf-8")
    failed = run("submit", str(note), **nobody)
    assert failed.returncode == 2
    assert "VALISE_POST" in failed.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace", "pas-un-identifiant"],
        ["submit", "x.txt", "--post", "atlantide"],
        ["submit", "x.txt", "--post", "berlin", "--date", "demain"],
        ["classify"],
        ["search", "--size", "0"],
        ["inconnue"],
    ],
)
def test_wrong_use_exits_2(arguments: list[str], nobody: dict[str, str]) -> None:
    assert run(*arguments, **nobody).returncode == 2


def test_classify_needs_no_server_and_keeps_the_order() -> None:
    lines = (
        '{"id": "a", "title": "Retraites en Allemagne", "text": "Les pensions de retraite."}\n'
        "pas du JSON\n"
        '{"id": "c", "subject": "Hôpitaux", "body": "Les hôpitaux espagnols manquent de lits."}\n'
    )
    done = subprocess.run(
        [VALISE, "classify", "--jsonl"], input=lines, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    import json

    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == ["a", None, "c"]
    assert answers[0]["themes"][0]["theme"] == "protection_sociale"
    assert answers[0]["countries"][0]["country"] == "DE"
    assert answers[1]["error"]
    assert answers[2]["themes"][0]["theme"] == "sante"


def test_a_folder_is_walked_in_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b.txt", "a.md", ".cache/x.txt", "sous/c.txt", ".DS_Store"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    paths, missing = expand([tmp_path, tmp_path / "absent.txt"])
    assert [str(path.relative_to(tmp_path)) for path in paths] == ["a.md", "b.txt", "sous/c.txt"]
    assert [result.outcome for result in missing] == ["refused"]


def test_the_summary_counts_in_french() -> None:
    counts = Counter({"accepted": 2, "conflict": 2, "refused": 1})
    assert summary(counts) == "5 documents : 2 acceptées, 2 en conflit, 1 refusée"
    assert summary(Counter()) == "0 document : rien à envoyer"
    assert plural("déjà reçue", 3) == "déjà reçues"


def test_the_client_commands_load_no_engine_and_no_web_framework() -> None:
    loaded = subprocess.run(
        [Path(VALISE).parent / "python", "-c", "import sys, services.cli; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    heavy = {"fastapi", "uvicorn", "sqlalchemy", "spacy", "tantivy", "elasticsearch", "faststream"}
    assert not heavy & set(loaded)


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = run("serve", "--data", str(tmp_path / "data"), "--port", port)
    assert refused.returncode == 2
    assert len(refused.stderr.strip().splitlines()) == 1
    assert port in refused.stderr
    assert not (tmp_path / "data").exists()


def test_a_damaged_log_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite3").write_text("pas une base de données" * 100)
    refused = run("serve", "--data", str(tmp_path), "--port", "0")
    assert refused.returncode == 3
    assert "Traceback" not in refused.stderr
    assert "log.sqlite3" in refused.stderr.strip().splitlines()[-1]


def test_the_service_ends_at_sigterm_with_code_0(tmp_path: Path) -> None:
    server = Process(tmp_path, "serve", ["serve", "--data", str(tmp_path / "data")], {})
    server.start()
    try:
        server.wait_ready()
        assert server.terminate() == 0
    finally:
        server.end()


@pytest.mark.parametrize("seconds", [0.6, 1.0, 1.6])
def test_the_service_ends_at_sigterm_while_it_starts(tmp_path: Path, seconds: float) -> None:
    server = Process(tmp_path, "serve", ["serve", "--data", str(tmp_path / "data")], {})
    server.start()
    try:
        time.sleep(seconds)
        # Before our handler is there, the signal ends the process as it ends any other.
        assert server.terminate() in (0, -signal.SIGTERM)
    finally:
        server.end()


def test_a_web_page_elsewhere_gets_nothing_from_the_service_on_this_machine(tmp_path: Path) -> None:
    server = Process(tmp_path, "serve", ["serve", "--data", str(tmp_path / "data")], {})
    server.start()
    try:
        server.wait_ready()
        own = httpx.get(f"{server.url}/openapi.json")
        led_here = httpx.get(f"{server.url}/openapi.json", headers={"Host": "ailleurs.example"})
        assert (own.status_code, led_here.status_code) == (200, 400)
    finally:
        server.end()


@pytest.mark.parametrize(
    "setting", [{"VALISE_URL": "http://[::1"}, {"VALISE_URL": "ftp://x"}, {"VALISE_KEY": "clé"}]
)
def test_a_wrong_setting_of_the_client_is_one_line(setting: dict[str, str]) -> None:
    refused = run("search", "retraites", **setting)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert next(iter(setting)) in refused.stderr


def test_a_file_name_that_is_not_utf8_is_refused_alone(
    tmp_path: Path, nobody: dict[str, str]
) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_text("Objet\n\nCorps")
    refused = run("submit", str(tmp_path), "--post", "berlin", **nobody)
    assert refused.returncode == 1
    assert "n'est pas en UTF-8" in refused.stdout


@pytest.mark.parametrize("level", ["info", "INFO"])
def test_the_log_level_may_be_in_any_case(level: str) -> None:
    assert run("--help", VALISE_LOG_LEVEL=level).returncode == 0


def test_a_wrong_log_level_is_one_line() -> None:
    refused = run("classify", VALISE_LOG_LEVEL="bavard")
    assert refused.returncode == 2
    assert "VALISE_LOG_LEVEL" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_two_files_that_give_one_reference_are_not_left_to_chance(tmp_path: Path) -> None:
    first = Draft("a/note.txt", {"reference": "note"})
    second = Draft("b/note.txt", {"reference": "note"})
    kept, refused = _once([first, second])
    assert kept is first
    assert isinstance(refused, Result)
    assert "a/note.txt" in refused.detail
