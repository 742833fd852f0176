"""A process that lets no other of its user look into it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.security.looking import WITHOUT_RIGHTS, looked_into

ROOT = Path(__file__).resolve().parents[2]
HIDES = "from services.runtime.inspection import refuse_inspection; assert refuse_inspection();"
WAITS = "import sys; print('ready', flush=True); sys.stdin.read()"


@pytest.mark.parametrize(("hides", "seen"), [("", True), (HIDES, False)])
def test_others_of_its_user_see_its_environment_only_if_it_lets_them(
    hides: str, seen: bool
) -> None:
    with subprocess.Popen(
        [*WITHOUT_RIGHTS, sys.executable, "-c", hides + WAITS],
        cwd=ROOT,
        env={"VALISE_KEY": "secret"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        got = looked_into(process.pid)
        process.communicate()
    assert (b"VALISE_KEY=secret" in got.environment) is seen
    assert got.memory is seen


def test_it_still_tells_its_own_figures() -> None:
    """As any user: the figures of a process are read in /proc, which then is the
    administrator's."""
    program = f"""
{HIDES}
import os
from prometheus_client import REGISTRY, generate_latest
if os.getuid() == 0:
    os.setresuid(65534, 65534, 65534)
text = generate_latest(REGISTRY).decode()
for name in ("process_open_fds", "process_resident_memory_bytes", "process_cpu_seconds_total"):
    assert f"\\n{{name}} " in text, text
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
