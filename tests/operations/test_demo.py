"""The demonstration leaves nothing running behind it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT
from tests.pipeline.deployments import children

PATIENCE_SECONDS = 60
RUN = """
import sys
from pathlib import Path
from tools import demo
demo.DATA = Path(sys.argv[1])
sys.exit(demo.main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_whoever_ends_the_demonstration_ends_its_server(tmp_path: Path, number: int) -> None:
    nothing = tmp_path / "none.jsonl"
    nothing.write_text("")
    with subprocess.Popen(
        [sys.executable, "-u", "-c", RUN, str(tmp_path / "demo")],
        cwd=ROOT,
        env=os.environ | {"NOTES": str(nothing)},
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        url = next(line.split()[-1] for line in demo.stdout if line.startswith("Service démarré"))
        (server,) = [pid for pid in children(demo.pid) if b"serve" in command_of(pid)]
        try:
            demo.send_signal(number)
            assert demo.wait(PATIENCE_SECONDS) == 0
            with pytest.raises(httpx.TransportError):
                httpx.get(f"{url}/health/live", trust_env=False)
            assert not alive(server)
        finally:
            if alive(server):
                os.kill(server, signal.SIGTERM)


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def alive(pid: int) -> bool:
    """Whether it runs, a moment after its end was waited for."""
    time.sleep(0.1)
    return Path(f"/proc/{pid}").exists()
