"""Builds Valise's image: with Docker where its daemon runs, else with buildah, without any daemon.

    python3 tools/image.py [--tag localhost/valise:0.1.0] [--base IMAGE] [--with docker|buildah]

Without an engine the base image is made from Debian's packages (debootstrap), which needs root.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEBIAN = "bookworm"
MADE_BASE = f"localhost/valise-base:{DEBIAN}"
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
BUILDAH = ("buildah", "--storage-driver=vfs")
"""vfs works everywhere, also where a container may not mount overlays."""
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
NO_BUILDER = 69
"""Exit code where neither builder can be used (EX_UNAVAILABLE)."""


def tag() -> str:
    """The image's name, with the version of this checkout."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return f"localhost/valise:{project['version']}"


def builder() -> str | None:
    """What can build here: docker, buildah or nothing."""
    if shutil.which("docker") and _succeeds(["docker", "info"]):
        return "docker"
    return "buildah" if shutil.which("buildah") else None


def docker(name: str, base: str | None) -> None:
    """Build with Docker; the base is pulled unless it is there."""
    run(["docker", "build", *_base(base), *_pip(), "-t", name, "."])


def buildah(name: str, base: str | None) -> None:
    """Build with buildah in a change of root, on a base made here unless one is given."""
    if base is None:
        make_base()
        base = MADE_BASE
    lent = ["--volume", f"{AUTHORITIES}:{AUTHORITIES}:ro"] if AUTHORITIES.exists() else []
    pip = _pip() or (["--build-arg", f"PIP_CERT={AUTHORITIES}"] if lent else [])
    run([
        *BUILDAH, "bud", "--isolation=chroot", "--layers=false", "--format=docker", *lent,
        *_base(base), *pip, "-t", name, ".",
    ])  # fmt: skip


def make_base() -> None:
    """Debian with Python as an image, from its packages."""
    if _succeeds([*BUILDAH, "inspect", "--type=image", MADE_BASE]):
        return
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        sys.exit("image: to make the base image, debootstrap and root are needed (or --base)")
    with tempfile.TemporaryDirectory(prefix="valise-base-") as folder:
        tree = Path(folder) / "root"
        run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, str(tree)])
        for spent in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(tree / spent, ignore_errors=True)
        archive = Path(folder) / "root.tar"
        run(["tar", "-C", str(tree), "-cf", str(archive), "."])
        container = _said([*BUILDAH, "from", "scratch"])
        try:
            run([*BUILDAH, "add", "--quiet", container, str(archive), "/"])
            run([*BUILDAH, "commit", "--quiet", container, MADE_BASE])
        finally:
            run([*BUILDAH, "rm", container])


def run(command: Sequence[str]) -> None:
    """Run a program in the checkout; its failure ends this one with the same code."""
    print("+", *command, file=sys.stderr, flush=True)
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def _base(base: str | None) -> list[str]:
    return ["--build-arg", f"BASE={base}"] if base else []


def _pip() -> list[str]:
    """Where pip finds packages on this machine, where that is said in the environment."""
    return [
        part
        for name in ("PIP_INDEX_URL", "PIP_CERT")
        if os.environ.get(name)
        for part in ("--build-arg", f"{name}={os.environ[name]}")
    ]


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _said(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    """Exit code: the builder's, or 69 where there is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", default=tag())
    parser.add_argument("--base", help="base image (default: the Dockerfile's, or one made here)")
    parser.add_argument("--with", dest="builder", choices=("docker", "buildah"))
    given = parser.parse_args()
    chosen = given.builder or builder()
    if chosen is None:
        print("image: neither a Docker daemon nor buildah is here: apt-get install buildah "
              "debootstrap", file=sys.stderr)  # fmt: skip
        return NO_BUILDER
    {"docker": docker, "buildah": buildah}[chosen](given.tag, given.base)
    print(given.tag)
    return 0


if __name__ == "__main__":
    sys.exit(main())
