"""Engines as the compose file has them, from its own scripts: TLS, passwords, a proxy in front.

Kafka runs on the jars of tools/engines, PostgreSQL on the machine's; the test node of
Elasticsearch has no security module, so TLS and the password are asked for by a small front.
"""

import asyncio
import base64
import contextlib
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "compose"
START_SECONDS = 90.0

sys.path.insert(0, str(ROOT / "tools" / "engines"))
import engines as test_engines  # noqa: E402  (a script, not a package)


def prepare(out: Path, given: Path | None = None, **env: str) -> Path:
    """Certificates and passwords, as the compose file's first service makes them."""
    done = subprocess.run(
        ["sh", COMPOSE / "prepare.sh", out, given or out / "none"],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


def free_ports(count: int) -> list[int]:
    return test_engines._free_ports(count, set())


def secret(prepared: Path, service: str, name: str) -> str:
    return (prepared / service / name).read_text()


def settings(prepared: Path) -> dict[str, str]:
    """The compose file's settings of how engines are reached, with this machine's paths."""
    valise = prepared / "valise"
    return {
        "VALISE_KAFKA_SECURITY": "SASL_SSL",
        "VALISE_KAFKA_USER": "valise",
        "VALISE_KAFKA_PASSWORD_FILE": str(valise / "kafka-password"),
        "VALISE_KAFKA_CA": str(valise / "ca.crt"),
        "VALISE_ELASTICSEARCH_USER": "valise",
        "VALISE_ELASTICSEARCH_PASSWORD_FILE": str(valise / "elasticsearch-password"),
        "VALISE_ELASTICSEARCH_CA": str(valise / "ca.crt"),
        "VALISE_DATABASE_PASSWORD_FILE": str(valise / "database-password"),
    }


@contextmanager
def kafka(prepared: Path, folder: Path, brokers: int = 1) -> Iterator[str]:
    """Brokers started by compose/kafka/start.sh; their clients' addresses."""
    ports = free_ports(3 * brokers)
    clients, controllers, others = ports[::3], ports[1::3], ports[2::3]
    programs = _kafka_programs(folder)
    voters = [f"{number}@localhost:{port}" for number, port in enumerate(controllers, start=1)]
    with ExitStack() as stack:
        started = []
        for number in range(brokers):
            home = folder / f"kafka-{number + 1}"
            (home / "data").mkdir(parents=True)
            env = os.environ | {
                "KAFKA_BIN": str(programs),
                "SECRETS": str(prepared / "kafka"),
                "DATA": str(home / "data"),
                "LISTEN": "127.0.0.1",
                "BROKER_ID": str(number + 1),
                "BROKER_HOST": "localhost",
                "BROKER_VOTERS": ",".join(voters),
                "BROKER_REPLICAS": str(brokers),
                "BROKER_IN_SYNC": str(max(1, brokers - 1)),
                "CLIENT_PORT": str(clients[number]),
                "CONTROLLER_PORT": str(controllers[number]),
                "BROKER_PORT": str(others[number]),
                "PROPERTIES": str(home / "server.properties"),
            }
            command = ["sh", str(COMPOSE / "kafka" / "start.sh")]
            log = home / "kafka.log"
            started.append((stack.enter_context(process(command, env, log)), log))
        for (server, log), port in zip(started, clients, strict=True):
            _wait(lambda port=port: _listening(port), server, log)
        yield ",".join(f"localhost:{port}" for port in clients)


def _kafka_programs(folder: Path) -> Path:
    """The two programs of Kafka's image that the script calls, on the jars of tools/engines."""
    java = test_engines.find_java()
    assert java is not None
    programs = folder / "kafka-programs"
    programs.mkdir()
    call = f'exec {java}/bin/java -Xmx512m -XX:TieredStopAtLevel=1 -cp "{_jars()}/*"'
    for name, main in (
        ("kafka-storage.sh", "kafka.tools.StorageTool"),
        ("kafka-server-start.sh", "kafka.Kafka"),
    ):
        (programs / name).write_text(f'#!/bin/sh\n{call} {main} "$@"\n')
        (programs / name).chmod(0o755)
    return programs


def _jars() -> Path:
    return test_engines._fetch("kafka")


@contextmanager
def postgres(prepared: Path) -> Iterator[str]:
    """PostgreSQL with the compose file's TLS, rules and first script; the registry's URL.

    The URL has no password; sslmode is verify-full.
    """
    programs, user = test_engines.find_postgres(), test_engines._postgres_user()
    assert programs is not None
    as_root = os.geteuid() == 0
    who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if as_root else {}
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="valise-postgres-", dir="/tmp") as name:
        home = Path(name)
        # Its own copy of its secrets: in the container they belong to its user as well.
        secrets = shutil.copytree(prepared / "postgres", home / "secrets")
        for script in ("pg_hba.conf", "init.sh"):
            shutil.copy(COMPOSE / "postgres" / script, home / script)
        rules = (home / "pg_hba.conf").read_text()
        if not as_root:  # `peer` means the machine's user postgres
            rules = rules.replace("peer", "trust")
        (home / "pg_hba.conf").write_text(rules)
        if as_root:
            for path in (home, *home.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)
        subprocess.run(
            [programs / "initdb", "-D", home / "data", "-U", "postgres", "--no-sync",
             "--encoding=UTF8", "--locale=C"],
            check=True, capture_output=True, cwd=home, **who,
        )  # fmt: skip
        command = [
            str(programs / "postgres"), "-D", str(home / "data"), "-p", str(port),
            "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={home}",
            "-c", "ssl=on", "-c", f"ssl_cert_file={secrets / 'tls.crt'}",
            "-c", f"ssl_key_file={secrets / 'tls.key'}", "-c", f"hba_file={home / 'pg_hba.conf'}",
        ]  # fmt: skip
        log = home / "postgres.log"
        log.touch()
        with process(command, dict(os.environ), log, signal.SIGINT, **who) as server:
            _wait(lambda: _listening(port), server, log)
            subprocess.run(
                ["sh", home / "init.sh"],
                env=os.environ
                | {"PGHOST": str(home), "PGPORT": str(port), "SECRETS": str(secrets)},
                check=True,
                cwd=home,
                **who,
            )
            authority = prepared / "valise" / "ca.crt"
            yield (
                f"postgresql://valise@localhost:{port}/valise"
                f"?sslmode=verify-full&sslrootcert={authority}"
            )


class Front:
    """TLS and basic authentication before an Elasticsearch that has neither."""

    def __init__(self, prepared: Path, behind: str) -> None:
        place = urlsplit(behind)
        self._behind = (place.hostname or "", place.port or 80)
        password = secret(prepared, "elasticsearch", "elasticsearch-password")
        token = base64.b64encode(f"valise:{password}".encode())
        self._wanted = b"basic " + token.lower()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = prepared / "elasticsearch"
        self._context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def start(self) -> str:
        """Listen; the https address."""
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context), self._loop
        ).result(10)
        return f"https://localhost:{self._server.sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        async def end() -> None:
            assert self._server is not None
            self._server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # One request a connection to the node; the client's is kept open as it likes.
        with contextlib.suppress(
            OSError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError
        ):
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    fields = _fields(head)
                    body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
                    if fields.get(b"authorization", b"").lower() != self._wanted:
                        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
                    else:
                        writer.write(await self._answer(head, body))
                    await writer.drain()
            finally:
                writer.close()

    async def _answer(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self._behind)
        try:
            kept = [
                line
                for line in head.rstrip().split(b"\r\n")
                if not line.lower().startswith(b"connection:")
            ]
            writer.write(b"\r\n".join([*kept, b"Connection: close"]) + b"\r\n\r\n" + body)
            return await reader.read()
        finally:
            writer.close()


def _fields(head: bytes) -> dict[bytes, bytes]:
    lines = head.split(b"\r\n")[1:]
    pairs = (line.partition(b":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


@contextmanager
def elasticsearch(prepared: Path, behind: str) -> Iterator[str]:
    """The https address of a front before that node."""
    front = Front(prepared, behind)
    try:
        yield front.start()
    finally:
        front.stop()


@contextmanager
def process(
    command: list[str],
    env: dict[str, str],
    log: Path,
    end: signal.Signals = signal.SIGTERM,
    **who: object,
) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that is ended when the block is left."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            cwd=log.parent, **who,
        )  # type: ignore[call-overload]  # fmt: skip
    try:
        yield started
    finally:
        started.send_signal(end)
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def _wait(there: Callable[[], bool], server: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not there():
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


def _listening(port: int) -> bool:
    """As the compose file's health check: somebody listens, nothing is sent."""
    mark = f":{port:04X} "
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if f"{fields[1]} ".endswith(mark) and fields[3] == "0A":
                return True
    return False


def connects(url: str) -> bool:
    """Whether PostgreSQL lets in with that URL."""
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
