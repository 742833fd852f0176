"""The part of the lock that the image needs: the services' packages, or those of the build.

    python image_lock.py pyproject.toml requirements.lock services|build > image.lock

pip says which packages that is, at the lock's versions, without installing any; their lines are
taken over from the lock with their hashes. Standard library and pip only: it runs in the build.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

EXTRAS = ("ingest", "classify", "search", "tracing")


def wanted(pyproject: Path, part: str) -> list[str]:
    """The requirements of the base and of the services' extras, or of the build."""
    described = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    if part == "build":
        return list(described["build-system"]["requires"])
    project = described["project"]
    extras = [project["optional-dependencies"][extra] for extra in EXTRAS]
    return sorted({each for part in [project["dependencies"], *extras] for each in part})


def entries(lock: str) -> dict[str, str]:
    """The lock's lines by package: its version with its hashes, once for each marker."""
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=[a-zA-Z0-9])", lock.strip()):
        name = plain(re.split(r"[=\[ ;]", entry, maxsplit=1)[0])
        found[name] = f"{found.get(name, '')}{entry}\n"
    return found


def plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def resolved(requirements: list[str], lock: dict[str, str]) -> set[str]:
    """The names of all that pip would install for these, at the lock's versions."""
    with tempfile.TemporaryDirectory() as folder:
        versions, report = Path(folder) / "versions.txt", Path(folder) / "report.json"
        pins = [line.rstrip("\\ ") for entry in lock.values() for line in entry.splitlines()]
        versions.write_text(
            "".join(f"{pin}\n" for pin in pins if not pin.startswith(" ")), encoding="utf-8"
        )
        command = [
            sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed",
            "--report", str(report), "--constraint", str(versions), *requirements,
        ]  # fmt: skip
        subprocess.run(command, check=True, stdout=sys.stderr)
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {plain(each["metadata"]["name"]) for each in installs}


def main() -> None:
    """Write the part of the lock to standard output."""
    pyproject, lock, part = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    known = entries(lock.read_text(encoding="utf-8"))
    needed = resolved(wanted(pyproject, part), known)
    print("".join(known[name] for name in sorted(needed)), end="")


if __name__ == "__main__":
    main()
