"""Both deployments as real processes that a test can start, kill and start again."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

import httpx
import pytest
from elasticsearch import Elasticsearch

from services.runtime.access import key_file
from services.runtime.access.first import ensure_key
from services.runtime.access.key_file import read_key
from services.runtime.log import Log
from services.runtime.log.kafka import KafkaLog
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from tests.runtime.registry_kit import own_schema

VALISE = Path(sys.executable).parent / "valise"
START_SECONDS = 60.0
LIVE = ("KAFKA", "ELASTICSEARCH", "DATABASE")
ENGINES = ("VALISE_KAFKA", "VALISE_ELASTICSEARCH", "VALISE_DATABASE")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """One `valise` process: its address, its log, and how to end it."""

    def __init__(self, folder: Path, name: str, arguments: list[str], env: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{name}.log"
        self._command = [str(VALISE), *arguments, "--port", str(self.port)]
        kept = {name: value for name, value in os.environ.items() if name not in ENGINES}
        # Measures and soaks ask more with one key than a caller may.
        self._env = {"VALISE_RATE": "0"} | kept | env
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait_ready(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"not ready in time:\n{self.log.read_text()}")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """kill -9, as the kernel or an administrator would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(30)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def children(pid: int) -> list[int]:
    """Process ids of the direct children."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


class Embedded:
    """`valise serve` on a data folder, with these further settings."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.data = folder / "data"
        command = ["serve", "--data", str(self.data)]
        self.server = Process(folder, "serve", command, settings)

    def start(self) -> None:
        self.server.start()
        self.server.wait_ready()

    @cached_property
    def key(self) -> str:
        """The administrator's."""
        return read_key(self.data / key_file.NAME) or ""

    @cached_property
    def http(self) -> httpx.Client:
        """An administrator's client."""
        return client_of(self.key)

    @property
    def ingest(self) -> str:
        return self.server.url

    @property
    def search(self) -> str:
        return self.server.url

    @property
    def classify(self) -> str:
        return self.server.url

    @property
    def registry_url(self) -> str:
        return f"sqlite:///{self.data / 'registry.sqlite3'}"

    def open_log(self) -> Log:
        """The log itself, beside the server."""
        return SqliteLog(self.data / "log.sqlite3")

    def kill_ingest(self) -> None:
        """kill -9 the server itself: ingest, search and indexing at once."""
        self.server.kill()
        self.start()

    kill_search = kill_ingest

    def lose_index(self) -> None:
        """The server ends, somebody deletes its index, it starts again."""
        self.server.terminate()
        shutil.rmtree(self.data / "index")
        self.start()

    def kill_classify(self) -> None:
        """kill -9 the classify process; the server starts another by itself."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            for child in children(self.server.pid):
                with suppress(FileNotFoundError, ProcessLookupError):  # gone since it was listed
                    command = Path(f"/proc/{child}/cmdline").read_bytes()
                    if b"services.classify" in command:
                        os.kill(child, signal.SIGKILL)
                        return
            time.sleep(0.05)  # the one killed before has not been replaced yet
        raise AssertionError("there was no classify process to kill")

    def logs(self) -> str:
        return self.server.log.read_text()

    def end(self) -> None:
        self.server.end()
        _close(self)


class Distributed:
    """The three services, each a process of its own, on real engines."""

    def __init__(
        self,
        folder: Path,
        name: str,
        engines: Mapping[str, str],
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._schema = own_schema(engines["VALISE_DATABASE"])
        env = {
            **engines,
            "VALISE_DATABASE": self._schema.__enter__(),
            "VALISE_INDEX": f"valise-{name}",
            "VALISE_TOPIC_PREFIX": f"{name}.",
            "VALISE_PARTITIONS": "3",
            "VALISE_SESSION_TIMEOUT_MS": "6000",
            **settings,
        }
        self.env = env
        self._key = folder / "admin.key"
        self.services = {
            service: Process(folder, service, ["run", service], env)
            for service in ("ingest", "classify", "search")
        }

    def start(self) -> None:
        registry = Registry(self.env["VALISE_DATABASE"])
        registry.migrate()
        ensure_key(registry, self._key)
        registry.close()
        for service in self.services.values():
            service.start()
        for service in self.services.values():
            service.wait_ready()

    @cached_property
    def key(self) -> str:
        """The administrator's."""
        return read_key(self._key) or ""

    @cached_property
    def http(self) -> httpx.Client:
        """An administrator's client."""
        return client_of(self.key)

    @property
    def ingest(self) -> str:
        return self.services["ingest"].url

    @property
    def search(self) -> str:
        return self.services["search"].url

    @property
    def classify(self) -> str:
        return self.services["classify"].url

    @property
    def registry_url(self) -> str:
        return self.env["VALISE_DATABASE"]

    def open_log(self) -> Log:
        """The log itself, beside the services; in a running loop."""
        return KafkaLog(Settings.from_env(self.env))

    def kill_ingest(self) -> None:
        self._kill("ingest")

    def kill_classify(self) -> None:
        self._kill("classify")

    def kill_search(self) -> None:
        self._kill("search")

    def _kill(self, service: str) -> None:
        self.services[service].kill()
        self.services[service].start()

    def lose_index(self) -> None:
        """Search ends, somebody deletes its indexes, it starts again."""
        search = self.services["search"]
        search.terminate()
        self.delete_indexes()
        search.start()
        search.wait_ready()

    def delete_indexes(self) -> None:
        with Elasticsearch(self.env["VALISE_ELASTICSEARCH"]) as client:
            for name in client.indices.get(index=f"{self.env['VALISE_INDEX']}*"):
                client.indices.delete(index=name)

    def logs(self) -> str:
        return "\n".join(
            f"--- {name}\n{service.log.read_text()}" for name, service in self.services.items()
        )

    def end(self) -> None:
        for service in self.services.values():
            service.end()
        _close(self)
        self._schema.__exit__(None, None, None)


Deployment = Embedded | Distributed


def _close(deployment: Deployment) -> None:
    """Close its client, if anybody used it."""
    if "http" in vars(deployment):
        deployment.http.close()
        del deployment.http


def environment(deployment: Deployment) -> dict[str, str]:
    """What an administrator's command needs to reach it, and nothing else."""
    return {
        "VALISE_URL": deployment.search,
        "VALISE_KEY": deployment.key,
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
    }


def client_of(key: str, base: str = "", timeout: float = 60) -> httpx.Client:
    """A client that shows this key."""
    return httpx.Client(
        base_url=base,
        headers={"Authorization": f"Bearer {key}"},
        timeout=timeout,
        trust_env=False,
    )


def deployment_of(
    kind: str,
    folder: Path,
    name: str,
    request: pytest.FixtureRequest,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Deployment:
    """The `embedded` deployment, or the `distributed` one on the live engines (skips without).

    With these further settings.
    """
    if kind == "embedded":
        return Embedded(folder, **settings)
    address = request.getfixturevalue("engine")
    engines = {f"VALISE_{engine}": address(engine) for engine in LIVE}
    return Distributed(folder, f"{name}-{uuid4().hex[:8]}", engines, settings)


@contextmanager
def running(deployment: Deployment) -> Iterator[Deployment]:
    """The deployment, started; ended whatever happens, its logs shown when a test fails."""
    try:
        deployment.start()
        yield deployment
    except BaseException:
        print(deployment.logs()[-20_000:])
        raise
    finally:
        deployment.end()
