"""A disk that fills up: a warning, then no new notes; what was accepted is still found."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import Request

from services.runtime.disk import COPIES, HARD_SHARE, Disk
from services.runtime.errors import Unavailable
from tests.pipeline.corpus import samples
from tests.pipeline.deployments import Embedded, running
from tests.pipeline.test_kills import total, wait_until

ARRIVE_SECONDS = 120.0
LOW = 1_000_000
HARD = LOW // HARD_SHARE


def disk(free: int) -> Disk:
    found = SimpleNamespace(f_bavail=free, f_frsize=1)
    return Disk(Path("/data"), LOW, statvfs=lambda _: found)  # type: ignore[arg-type,return-value]


def posted(size: int | None, method: str = "POST") -> Request:
    headers = [] if size is None else [(b"content-length", str(size).encode())]
    return Request({"type": "http", "method": method, "headers": headers})


@pytest.mark.parametrize(
    ("free", "said"),
    [(LOW, None), (LOW - 1, "low below"), (HARD, "low below"), (HARD - 1, "notes are refused")],
)
async def test_the_warning_says_how_little_room_is_left_and_what_follows(
    free: int, said: str | None
) -> None:
    warning = await disk(free).warning()
    assert (warning is None) if said is None else (warning is not None and said in warning)
    assert ("refused" in (warning or "")) == (free < HARD)


async def test_a_note_is_let_in_where_all_its_copies_stay_above_the_limit() -> None:
    await disk(HARD + COPIES * 1_000).admit(posted(1_000))
    with pytest.raises(Unavailable, match="nearly full"):
        await disk(HARD + COPIES * 1_000 - 1).admit(posted(1_000))
    with pytest.raises(Unavailable):
        await disk(HARD - 1).admit(posted(None))
    await disk(HARD - 1).admit(posted(None, "GET"))


async def test_a_data_folder_that_does_not_answer_takes_no_notes() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        await Disk(Path("/does/not/exist"), LOW).admit(posted(1))


def test_each_step_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    state = 0
    with caplog.at_level("INFO", "services.runtime.disk"):
        for free in (LOW, LOW - 1, LOW - 2, HARD - 1, HARD - 2, LOW + 1, LOW + 2):
            state = disk(free).told(state)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO"]
    assert "refused" in caplog.records[1].getMessage()
    assert "enough" in caplog.records[2].getMessage()


@contextmanager
def serving(folder: Path, low: int) -> Iterator[Embedded]:
    """A deployment whose limit lies that far from what the real file system has free."""
    deployment = Embedded(folder)
    deployment.server._env["VALISE_DISK_LOW_BYTES"] = str(low)
    with running(deployment):
        yield deployment


@pytest.mark.slow
def test_a_low_disk_is_said_and_a_nearly_full_one_refuses_new_notes_only(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    note = samples()[0]
    with serving(tmp_path, free * 2) as deployment:
        ready = deployment.http.get(f"{deployment.ingest}/health/ready")
        assert ready.status_code == 200

        def warned() -> bool:
            # What a probe found at the start may be believed a moment longer.
            ready = deployment.http.get(f"{deployment.ingest}/health/ready")
            return "MiB free" in ready.json()["warnings"]["disk"]

        wait_until(warned, ARRIVE_SECONDS)
        assert (
            deployment.http.post(f"{deployment.ingest}/api/v1/notes", json=note).status_code == 202
        )
        wait_until(lambda: total(deployment) == 1, ARRIVE_SECONDS)
        assert "disk low" in deployment.logs()
    with serving(tmp_path, free * HARD_SHARE * 2) as deployment:
        refused = deployment.http.post(f"{deployment.ingest}/api/v1/notes", json=samples()[1])
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert deployment.http.get(f"{deployment.ingest}/health/ready").status_code == 200
        assert total(deployment) == 1
    with serving(tmp_path, 0) as deployment:
        assert deployment.http.get(f"{deployment.ingest}/health/ready").json()["warnings"] == {
            "disk": "ok"
        }
        sent = deployment.http.post(f"{deployment.ingest}/api/v1/notes", json=samples()[1])
        assert sent.status_code == 202, "what was refused had been kept"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_on_a_small_file_system_notes_are_refused_before_it_is_full(tmp_path: Path) -> None:
    import subprocess

    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "valise-small", str(small)], check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with serving(small, 32 * HARD_SHARE * 2**20) as deployment:
            accepted = 0
            note = samples()[0]
            for number in range(2_000):
                changed = note | {"reference": f"PLEIN-{number}", "body": note["body"] * 40}
                answer = deployment.http.post(
                    f"{deployment.ingest}/api/v1/notes", json=changed, timeout=20
                )
                if answer.status_code == 503:
                    break
                assert answer.status_code == 202
                accepted += 1
            assert answer.status_code == 503, "the disk never filled up"
            assert accepted > 0
            wait_until(lambda: total(deployment) == accepted, ARRIVE_SECONDS)
            assert "full" not in deployment.logs().replace("nearly full", "")
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
