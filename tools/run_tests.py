"""Runs the tests: those that need no engine, then the live ones where engines can run.

`make test` and `make test-live` call it. Engines of its own are started in a temporary folder and
ended again, whatever happens; settings for the live tests travel as VALISE_TEST_*.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

MOST_AT_ONCE = 4
"""Processes of tests: each may take 1.3 GB with the services that it starts."""

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools" / "engines"))

import engines  # noqa: E402  (a script beside this one, not a package)


def main() -> int:
    """Exit code of the first failing part, 0 when all passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--live-only", action="store_true")
    parser.add_argument("pytest_arguments", nargs="*")
    given = parser.parse_args()

    if not given.live_only:
        code = pytest(["-m", "not live", *given.pytest_arguments], {})
        if code:
            return code
    missing = engines.check()
    if missing:
        print(
            "\nSKIPPED the live tests (Kafka, Elasticsearch, PostgreSQL), because:",
            *missing,
            sep="\n",
        )
        return 1 if given.live_only else 0
    return live(given.pytest_arguments)


def live(arguments: list[str]) -> int:
    """Start engines, run the live tests on them, end the engines."""
    with tempfile.TemporaryDirectory(
        prefix="valise-engines-", ignore_cleanup_errors=True
    ) as folder:
        state = Path(folder)
        try:
            addresses = engines.start(state)
            settings = {
                name.replace("VALISE_", "VALISE_TEST_"): value for name, value in addresses.items()
            }
            # Where the engines' own files are: some tests look for words in them.
            settings["VALISE_TEST_ENGINES"] = str(state)
            return pytest(["-m", "live", *arguments], settings)
        finally:
            engines.stop(state)


def pytest(arguments: list[str], settings: dict[str, str]) -> int:
    """Run pytest in processes of its own, a module in one of them; its exit code (no test at all is
    a failure)."""
    at_once = str(min(os.cpu_count() or 1, MOST_AT_ONCE))
    spread = ["-n", at_once, "--dist", "loadscope", "--no-loadscope-reorder"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *spread, *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
