"""Starts each service from the built image on engines with TLS and passwords, and sends it notes.

    python tools/image_smoke.py [--tag localhost/valise:0.1.0] [--brokers 3] [--keep]

As root, with buildah: `make image` first. Engines are those of the deployment tests: Kafka and
PostgreSQL by the compose file's scripts, Elasticsearch's test node behind TLS and a password. With
caddy on PATH (or CADDY), the notes go through the compose file's proxy. What it cannot show:
Docker's networks, limits and read-only file systems; it looks instead for files that were written.
"""

import argparse
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools"), str(ROOT / "tools" / "engines")]

import engines  # noqa: E402
import image  # noqa: E402

from tests.deployment import secure  # noqa: E402

SERVICES = ("ingest", "classify", "search")
USER = 10001
READY_SECONDS = 120.0
ARRIVE_SECONDS = 60.0


class Container:
    """A working container of the image, in a change of root, on this machine's network."""

    def __init__(self, tag: str) -> None:
        self.name = image._said([*image.BUILDAH, "from", "--pull-never", tag])
        self.root = Path(image._said([*image.BUILDAH, "mount", self.name]))

    def command(self, env: dict[str, str], mounts: dict[Path, str], *words: str) -> list[str]:
        """What runs these words in it, as the image's user."""
        lent = [f"--volume={path}:{place}:ro" for path, place in mounts.items()]
        said = [f"--env={name}={value}" for name, value in env.items()]
        head = [*image.BUILDAH, "run", "--isolation=chroot", f"--user={USER}:{USER}"]
        return [*head, *lent, *said, self.name, "--", *words]

    def remove(self) -> None:
        """The container, not the image."""
        subprocess.run([*image.BUILDAH, "rm", self.name], capture_output=True, check=False)


@contextmanager
def running(command: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A program of ours, ended with all that descends from it."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        ours = engines._tree(process.pid)
        engines._send(reversed(ours), signal.SIGTERM)
        if not engines._wait_gone(ours[1:], 20):
            engines._send(ours, signal.SIGKILL)
        process.wait(20)


def ask(url: str, authority: Path | None = None) -> int:
    """The status of an answer, 0 where there is none."""
    trust = ssl.create_default_context(cafile=authority) if authority else None
    handlers: list[Any] = [urllib.request.ProxyHandler({})]
    if trust:
        handlers.append(urllib.request.HTTPSHandler(context=trust))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def wait(there: Callable[[], bool], seconds: float, what: str, log: Path) -> None:
    """Until it is so; ends the program with the log's last lines where it does not become so."""
    end = time.monotonic() + seconds
    while not there():
        if time.monotonic() > end:
            sys.exit(f"smoke: {what} did not come\n{log.read_text()[-4000:]}")
        time.sleep(0.2)


def say(text: str) -> None:
    """One line of what was seen."""
    print(f"smoke: {text}", flush=True)


class Smoke:
    """One run: its folder, its engines, its container and what is started from it."""

    def __init__(self, tag: str, brokers: int, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.prepared = secure.prepare(folder / "prepared")
        self.env = self._engines(brokers)
        self.container = Container(tag)
        stack.callback(self.container.remove)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.key = ""

    def _engines(self, brokers: int) -> dict[str, str]:
        """Started with TLS and passwords; the settings as a service in the image reads them."""
        node = engines.start(self.folder / "engines", only=["elasticsearch"])
        self.stack.callback(engines.stop, self.folder / "engines")
        enter = self.stack.enter_context
        behind = node["VALISE_ELASTICSEARCH"]
        env = secure.settings(self.prepared) | {
            "VALISE_KAFKA": enter(secure.kafka(self.prepared, self.folder, brokers)),
            "VALISE_ELASTICSEARCH": enter(secure.elasticsearch(self.prepared, behind)),
            "VALISE_DATABASE": enter(secure.postgres(self.prepared)),
            "VALISE_REPLICATION": str(brokers),
        }
        valise = str(self.prepared / "valise")
        return {name: value.replace(valise, "/run/valise") for name, value in env.items()}

    def command(self, *words: str, **env: str) -> list[str]:
        """What runs these words in the container."""
        mounts = {self.prepared / "valise": "/run/valise", ROOT / "samples": "/samples"}
        return self.container.command(env or self.env, mounts, *words)

    def said(self, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """What a short program in the container says."""
        return subprocess.run(
            self.command(*words, **env), capture_output=True, text=True, check=False
        )

    def look(self) -> None:
        """Who runs there, and with what tools."""
        seen = self.said("sh", "-c", "id -u; command -v cc gcc g++ make")
        check(seen.stdout.split() == [str(USER)], seen.stdout + seen.stderr)
        say(f"runs as user {USER}, without a compiler")

    def provision(self) -> None:
        """As the compose file's one-shot service."""
        file = "/tmp/admin.key"
        script = f"valise provision --wait 60 --key-file {file} && cat {file} >&2 && rm {file}"
        made = self.said("sh", "-c", script)
        check(made.returncode == 0, made.stderr)
        self.key = made.stderr.splitlines()[-1]
        say("provision: " + "; ".join(made.stdout.splitlines()))

    def services(self) -> dict[str, int]:
        """Each started from the image and ready; their ports."""
        ports = dict(zip(SERVICES, secure.free_ports(len(SERVICES)), strict=True))
        for name, port in ports.items():
            log = self.folder / f"{name}.log"
            words = ("valise", "run", name, "--host", "127.0.0.1", "--port", str(port))
            began = time.monotonic()
            started = self.stack.enter_context(running(self.command(*words), log))
            self.processes[name] = started
            address = f"http://127.0.0.1:{port}/health/ready"
            wait(lambda address=address: ask(address) == 200, READY_SECONDS, name, log)  # type: ignore[misc]
            say(f"{name}: ready after {time.monotonic() - began:.1f} s")
        return ports

    def proxy(self, ports: dict[str, int]) -> tuple[str, str]:
        """Where notes are sent and read: the compose file's proxy, where caddy is here."""
        caddy = os.environ.get("CADDY") or shutil.which("caddy")
        if caddy is None:
            say("no caddy here: straight to the services, the proxy NOT tried")
            return f"http://127.0.0.1:{ports['ingest']}", f"http://127.0.0.1:{ports['search']}"
        (site,) = secure.free_ports(1)
        env = dict(os.environ) | {"SITE_PORT": str(site), "SECRETS": str(self.prepared / "proxy")}
        for name, port in ports.items():
            env |= {f"{name.upper()}_PORT": str(port), f"{name.upper()}_HOST": "localhost"}
        rules = ROOT / "compose" / "proxy" / "Caddyfile"
        command = [caddy, "run", "--config", str(rules), "--adapter", "caddyfile"]
        log = self.folder / "caddy.log"
        self.stack.enter_context(secure.process(command, env, log))
        url, authority = f"https://localhost:{site}", self.prepared / "valise" / "ca.crt"
        wait(lambda: ask(f"{url}/health/ready", authority) == 200, 20, "proxy", log)
        say("all through the compose file's proxy, over TLS")
        return url, url

    def journey(self, to_send: str, to_read: str) -> None:
        """The sample notes, from the command to a hit."""
        trust = {"SSL_CERT_FILE": "/run/valise/ca.crt", "VALISE_KEY": self.key}
        began = time.monotonic()
        sent = self.said("valise", "submit", "/samples/notes.jsonl", VALISE_URL=to_send, **trust)
        check(sent.returncode == 0, sent.stdout + sent.stderr)
        say(f"submit: {sent.stdout.strip().splitlines()[-1]}")
        for words, expected in (
            (("trace", "berlin/BER-2026-0142"), "indexée"),
            (("search", "retraite", "--country", "DE"), "BER-2026-0142"),
        ):
            wait(
                lambda words=words, expected=expected: (  # type: ignore[misc]
                    expected in self.said("valise", *words, VALISE_URL=to_read, **trust).stdout
                ),
                ARRIVE_SECONDS,
                f"{words[0]}: {expected}",
                self.folder / "search.log",
            )
            say(f"{words[0]}: {expected}, {time.monotonic() - began:.1f} s after the start")

    def aftermath(self, before: float) -> None:
        """Memory, users, files written, and what the logs must not hold."""
        for name, started in self.processes.items():
            peaks = [status(pid) for pid, _ in engines._tree(started.pid)]
            ours = [peak for user, peak in peaks if user == USER]
            check(bool(ours) and {user for user, _ in peaks} <= {0, USER}, str(peaks))
            say(f"{name}: {sum(ours) // 1024} MB at most, as user {USER}")
        root = self.container.root
        check((root / "opt" / "valise").is_dir(), f"{root} is not the container")
        written = [
            path.relative_to(root)
            for path in root.rglob("*")
            if not path.is_dir() and path.lstat().st_mtime > before
        ]
        outside = [str(path) for path in written if path.parts[0] != "tmp"]
        say(f"files written outside /tmp: {outside or 'none'}")
        logs = "".join((self.folder / f"{name}.log").read_text() for name in SERVICES)
        for name in ("kafka-password", "elasticsearch-password", "database-password"):
            check(secure.secret(self.prepared, "valise", name) not in logs, name)
        check(self.key not in logs, "the key")
        say(f"no password and no key in {len(logs.splitlines())} lines of logs")


def status(pid: int) -> tuple[int, int]:
    """The user of a process, and the most memory it ever held, in KB."""
    text = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in text.splitlines())
    return int(fields["Uid"].split()[0]), int(fields.get("VmHWM", "0 kB").split()[0])


def check(true: bool, otherwise: str) -> None:
    """Ends the program where something is not so."""
    if not true:
        sys.exit(f"smoke: FAILED\n{otherwise}")


def smoke(run: Smoke) -> None:
    """Everything, in order."""
    run.look()
    before = time.time()
    run.provision()
    ports = run.services()
    run.journey(*run.proxy(ports))
    run.aftermath(before)


def main() -> int:
    """0 when all went well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", default=image.tag())
    parser.add_argument("--brokers", type=int, default=1, help="3: as in compose/scale.yml")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    given = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("buildah") is None:
        print("smoke: root and buildah are needed", file=sys.stderr)
        return image.NO_BUILDER
    folder = Path(tempfile.mkdtemp(prefix="valise-smoke-"))
    folder.chmod(0o755)
    try:
        with ExitStack() as stack:
            smoke(Smoke(given.tag, given.brokers, folder, stack))
    finally:
        if given.keep:
            say(f"logs in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
