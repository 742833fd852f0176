"""`valise rectify` and `valise withdraw` without a server."""

from pathlib import Path

import pytest

from tests.cli.test_command import run
from tests.pipeline.deployments import free_port

NOTE = "berlin/BER-2026-0142"


@pytest.mark.parametrize(
    "arguments",
    [["rectify", "note.md"], ["withdraw"], ["withdraw", "pas-un-identifiant"]],
)
def test_wrong_use_exits_2(arguments: list[str]) -> None:
    failed = run(*arguments, VALISE_URL=f"http://127.0.0.1:{free_port()}")
    assert failed.returncode == 2, failed.stderr
    assert "Traceback" not in failed.stderr


def test_without_a_service_the_command_says_so_and_exits_3(tmp_path: Path) -> None:
    file = tmp_path / "note.md"
    file.write_text("Réforme des retraites\n\nÀ 67 ans.\n")
    url = f"http://127.0.0.1:{free_port()}"
    for arguments in (["rectify", str(file), "--note", NOTE], ["withdraw", NOTE]):
        failed = run(*arguments, VALISE_URL=url)
        assert failed.returncode == 3
        assert url in failed.stderr
        assert "Traceback" not in failed.stderr
