"""Who else may read what a deployment writes: nobody."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.ingest.conftest import BERLIN
from tests.ingest.formats.making import docx, paragraphs
from tests.pipeline.deployments import VALISE, Embedded, client_of, running

OTHERS = 0o077


def open_to_others(folder: Path) -> list[str]:
    """What in a folder, itself included, somebody else may read, list or change."""
    every = (folder, *folder.rglob("*"))
    return [f"{path} {path.stat().st_mode:o}" for path in every if path.stat().st_mode & OTHERS]


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """That of most accounts, for this process and those that it starts."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
def test_nobody_else_reads_the_data_of_a_folder_that_was_open_nor_a_backup(tmp_path: Path) -> None:
    office = Embedded(tmp_path)
    office.data.mkdir(mode=0o755)
    (office.data / "log.sqlite3").touch(0o644)
    with running(office):
        client = client_of(office.key)
        with client:
            sent = client.post(f"{office.ingest}/api/v1/notes", json=BERLIN)
            assert sent.status_code == 202
            assert _document(client, office.ingest).status_code == 202
        assert "was open to others (755): closed" in office.logs()
        assert open_to_others(office.data) == []
        kept = tmp_path / "backup"
        kept.mkdir(mode=0o755)
        for command in (
            ["backup", str(kept), "--data", str(office.data)],
            ["restore", str(kept), "--data", str(tmp_path / "restored")],
            ["backup", "--log", str(tmp_path / "log.gz"), "--data", str(tmp_path / "restored")],
        ):
            subprocess.run([VALISE, *command], check=True, capture_output=True, timeout=60)
    for made in (office.data, kept, tmp_path / "restored", tmp_path / "log.gz"):
        assert open_to_others(made) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's folder")
def test_a_folder_of_another_user_is_refused_in_one_french_line(tmp_path: Path) -> None:
    os.chown(tmp_path, 12_345, 12_345)
    ran = subprocess.run(
        [VALISE, "serve", "--data", str(tmp_path), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    (line,) = ran.stderr.splitlines()
    assert "appartient à un autre utilisateur (uid 12345)" in line
    assert list(tmp_path.iterdir()) == []


def _document(client: httpx.Client, address: str) -> httpx.Response:
    metadata = '{"post":"rome","reference":"ROM-9","date":"2026-03-04"}'
    return client.post(
        f"{address}/api/v1/notes",
        files={
            "file": ("note.docx", docx(paragraphs("Hôpitaux", "Le plan italien est adopté."))),
            "metadata": (None, metadata.encode(), "application/json"),
        },
    )
