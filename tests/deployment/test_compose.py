"""The compose files agree with the code: settings, ports, topics, health, versions, routes."""

import os
import re
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
import yaml

from schemas.topics import ALL
from services.cli import app as command
from services.cli.serve import Service
from services.distributed import APPLICATIONS
from services.embedded import Settings
from services.runtime.settings import SECRETS
from tests.conftest import ROOT
from tests.deployment import secure

ONE, THREE = ROOT / "docker-compose.yml", ROOT / "compose" / "scale.yml"
PROVIDER = ROOT / "compose" / "provider.yml"
FILES = {"one": [ONE], "three": [ONE, THREE]}
SERVICES = tuple(service.value for service in Service)
ENGINE_IMAGES = {"kafka": "apache/kafka", "elasticsearch": "elasticsearch/elasticsearch"}
POM = "{http://maven.apache.org/POM/4.0.0}"
FAMILIES = {
    "ingest": [
        ("POST", "/api/v1/notes"),
        ("PUT", "/api/v1/notes/x"),
        ("DELETE", "/api/v1/notes/x"),
        ("POST", "/api/v1/notes/x/corrections"),
        ("GET", "/api/v1/notes/x/original"),
    ],
    "classify": [("POST", "/api/v1/preview"), ("POST", "/api/v1/reclassify")],
    "search": [
        ("GET", "/api/v1/notes"),
        ("GET", "/api/v1/notes/x"),
        ("GET", "/api/v1/notes/x/trace"),
        ("GET", "/api/v1/search"),
        ("GET", "/feeds/sante.atom"),
        ("POST", "/api/v1/subscriptions"),
        ("POST", "/api/v1/notes/x/expunge"),
        ("GET", "/api/v1/dead-letters"),
        ("POST", "/api/v1/dead-letters/7/replay"),
        ("GET", "/"),
    ],
}
"""The contract's table "Who serves what", with an example of each family of paths."""


CADDYFILE = ROOT / "compose" / "proxy" / "Caddyfile"


def loaded(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def merged(files: list[Path]) -> dict[str, dict[str, Any]]:
    """The services, with the second file's environment laid over the first's, as Compose does."""
    services: dict[str, dict[str, Any]] = {}
    for path in files:
        for name, service in loaded(path)["services"].items():
            known = services.setdefault(name, {})
            environment = known.get("environment", {}) | service.get("environment", {})
            known |= service | {"environment": environment}
    return services


@pytest.fixture(params=sorted(FILES))
def services(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    return merged(FILES[request.param])


def without_blanks(value: str) -> str:
    """A value as Compose hands it on where nothing is set: `${NAME:-default}` is the default."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def test_every_valise_variable_is_a_setting(services: dict[str, dict[str, Any]]) -> None:
    known = {f"VALISE_{name.upper()}" for name in Settings.model_fields}
    known |= {f"VALISE_{name.upper()}_FILE" for name in SECRETS}
    used = {
        name
        for service in services.values()
        for name in service["environment"]
        if name.startswith("VALISE_")
    }
    assert used
    assert used <= known


def test_the_services_settings_are_accepted_and_secure(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    prepared = secure.prepare(tmp_path)
    for name in (*SERVICES, "provision"):
        env = {
            key: without_blanks(value).replace("/run/valise", str(prepared / "valise"))
            for key, value in services[name]["environment"].items()
        }
        settings = Settings.from_env(env)
        assert settings.distributed
        assert settings.kafka_security == "SASL_SSL"
        assert settings.elasticsearch is not None
        assert settings.elasticsearch.startswith("https://")
        assert "sslmode=verify-full" in settings.registry_url
        assert secure.secret(prepared, "valise", "database-password") in settings.registry_url
        brokers = [broker for broker in services if re.fullmatch(r"kafka(-\d)?", broker)]
        assert settings.kafka == ",".join(f"{broker}:9092" for broker in sorted(brokers))
        assert settings.replication == len(brokers)


SIGN_IN = {
    "PEOPLE": "/run/valise/people.toml",
    "OIDC_ISSUER": "https://proconnect.example/api/v2",
    "OIDC_CLIENT_ID": "valise",
    "OIDC_CLIENT_SECRET_FILE": "/run/valise/oidc-client-secret",
    "OIDC_SCOPE": "openid email",
    "OIDC_ACR": "eidas1",
}
"""What an administrator writes into `.env` for people to sign in."""


def substituted(value: str, given: dict[str, str]) -> str:
    """A value as Compose hands it on with these set."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: given.get(found[1]) or found[2], value)


def test_people_sign_in_once_it_is_set_and_only_search_has_the_providers_secret(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    prepared = secure.prepare(tmp_path)
    (prepared / "valise" / "people.toml").write_text("")
    (prepared / "valise" / "oidc-client-secret").write_text("secret")
    example = (ROOT / "compose" / ".env.example").read_text()
    for name in SIGN_IN:
        assert re.search(rf"^# ?{name}=", example, re.MULTILINE), name

    def settings_of(name: str, given: dict[str, str]) -> Settings:
        return Settings.from_env(
            {
                key: substituted(value, given).replace("/run/valise", str(prepared / "valise"))
                for key, value in services[name]["environment"].items()
            }
        )

    for name in SERVICES:
        off, on = settings_of(name, {}), settings_of(name, SIGN_IN)
        assert off.people is None
        assert on.people == prepared / "valise" / "people.toml"
        assert off.oidc_issuer is off.oidc_client_secret is None
        if name == "search":
            assert on.oidc_client_secret is not None
            assert on.oidc_client_secret.get_secret_value() == "secret"
            assert on.oidc_issuer == SIGN_IN["OIDC_ISSUER"]
            assert (on.oidc_client_id, on.oidc_scope) == ("valise", "openid email")
            assert on.oidc_acr == "eidas1"
        else:
            assert on.oidc_issuer is on.oidc_client_secret is None


def test_with_an_identity_provider_search_alone_gets_a_way_out() -> None:
    (name,) = loaded(PROVIDER)["services"]
    assert name == "search"
    assert loaded(PROVIDER)["services"][name] == {"networks": ["inside", "outside"]}


def test_each_service_of_the_command_is_there_and_listens_where_the_proxy_looks(
    services: dict[str, dict[str, Any]],
) -> None:
    commands = {info.name for info in command.registered_commands}
    assert {"run", "provision"} <= commands
    assert services["provision"]["command"][0] == "provision"
    caddy = CADDYFILE.read_text()
    for name in SERVICES:
        run = services[name]["command"]
        assert run[:2] == ["run", name]
        port = run[run.index("--port") + 1]
        assert f"{{${name.upper()}_HOST:{name}}} {{${name.upper()}_PORT:{port}}}" in caddy
        assert f"http://127.0.0.1:{port}/health/ready" in str(services[name]["healthcheck"])


def test_the_health_paths_exist_in_each_service() -> None:
    settings = Settings.from_env(
        {
            "VALISE_KAFKA": "k:9092",
            "VALISE_ELASTICSEARCH": "http://e:9200",
            "VALISE_DATABASE": "postgresql://d/valise",
        }
    )
    for create in APPLICATIONS.values():
        paths = set(create(settings).openapi()["paths"])
        assert {"/health/live", "/health/ready"} <= paths


def test_engines_have_the_versions_that_are_tested(services: dict[str, dict[str, Any]]) -> None:
    for engine, image in ENGINE_IMAGES.items():
        pom = ElementTree.parse(ROOT / "tools" / "engines" / f"pom-{engine}.xml")
        version = pom.findtext(f".//{POM}dependency/{POM}version")
        assert version
        used = {
            service["image"] for service in services.values() if image in service.get("image", "")
        }
        assert {each.rpartition(":")[2] for each in used} == {version}


def test_every_image_names_its_version(services: dict[str, dict[str, Any]]) -> None:
    project = (ROOT / "pyproject.toml").read_text()
    for name, service in services.items():
        image, _, version = service["image"].rpartition(":")
        assert re.match(r"\d+\.\d+", version), name
        if image == "localhost/valise":
            assert f'version = "{version}"' in project


def test_every_service_is_confined(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if "image" not in service:
            continue
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["user"].split(":")[0] != "0" or name == "prepare", name
        assert service["read_only"] or name == "elasticsearch", name


def test_secrets_belong_to_the_user_of_their_service() -> None:
    services = merged([ONE])
    script = (ROOT / "compose" / "prepare.sh").read_text()
    owners = dict(re.findall(r"^own (\w+) (\d+:\d+)$", script, re.MULTILINE))
    users = {name: services[name]["user"] for name in owners if name in services}
    users["valise"] = services["ingest"]["user"]
    assert owners == users
    assert f"USER {users['valise']}\n" in (ROOT / "Dockerfile").read_text()


def test_only_the_proxy_is_reached_from_outside_and_by_default_from_here_only(
    services: dict[str, dict[str, Any]],
) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert without_blanks(services["proxy"]["ports"][0]) == "127.0.0.1:8443:8443"
    assert loaded(ONE)["networks"]["inside"] == {"internal": True}
    for name, service in services.items():
        if name not in ("proxy", "prepare"):
            assert service["networks"] == ["inside"], name


def test_whoever_keeps_something_keeps_it_in_a_named_volume() -> None:
    for files in FILES.values():
        named = {volume for path in files for volume in loaded(path)["volumes"]}
        mounted = {
            volume.split(":")[0]
            for service in merged(files).values()
            for volume in service.get("volumes", [])
            if not volume.startswith("./")
        }
        assert mounted == named


def test_mounted_files_are_in_the_repository(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        for volume in service.get("volumes", []):
            if volume.startswith("./"):
                assert (ROOT / volume.split(":")[0]).exists(), volume


def test_three_brokers_keep_each_record_on_two_disks() -> None:
    services = merged([ONE, THREE])
    brokers = [services[name]["environment"] for name in ("kafka", "kafka-2", "kafka-3")]
    assert [broker["BROKER_ID"] for broker in brokers] == ["1", "2", "3"]
    for broker in brokers:
        assert broker["BROKER_VOTERS"] == "1@kafka:9093,2@kafka-2:9093,3@kafka-3:9093"
        assert broker["BROKER_REPLICAS"] == "3"
        assert broker["BROKER_IN_SYNC"] == "2"
    assert services["kafka"]["image"] == services["kafka-2"]["image"]
    for name in SERVICES:
        assert services[name]["scale"] >= 2


def test_the_health_check_of_a_broker_looks_for_its_port(
    services: dict[str, dict[str, Any]],
) -> None:
    start = (ROOT / "compose" / "kafka" / "start.sh").read_text()
    assert "client=${CLIENT_PORT:-9092}" in start
    assert f":{9092:X} " in str(services["kafka"]["healthcheck"]["test"])


def test_the_documents_name_the_topics_that_provision_makes() -> None:
    text = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    for topic in ALL:
        assert f"`{topic.name}`" in text


def written_route(method: str, path: str) -> str:
    """To whom the proxy's file sends a request, as it is written."""
    rules = re.findall(
        r"@(\w+) \{\s*method ([A-Z ]+)\s*path ([^\n]+)\s*\}\s*"
        r"handle @\1 \{\s*import to \{\$(\w+)_HOST",
        CADDYFILE.read_text(),
    )
    assert len(rules) == 4
    for _, methods, paths, service in rules:
        if method in methods.split() and any(fnmatchcase(path, each) for each in paths.split()):
            return str(service.lower())
    return "search"


@pytest.mark.parametrize(
    ("service", "method", "path"),
    [(service, *request) for service, requests in FAMILIES.items() for request in requests],
)
def test_the_proxy_sends_each_family_of_paths_where_the_contract_says(
    service: str, method: str, path: str
) -> None:
    assert written_route(method, path) == service


class Named(BaseHTTPRequestHandler):
    """Answers every request with the name of the server that got it."""

    def do_GET(self) -> None:
        body = str(self.server.name).encode()  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def named(name: str) -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Named) as server:
        server.name = name  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_the_proxy_itself_routes_over_tls_and_hides_the_metrics(tmp_path: Path) -> None:
    caddy = os.environ.get("CADDY") or shutil.which("caddy")
    if caddy is None:
        pytest.skip("caddy is not installed; the written routes are tested above")
    prepared = secure.prepare(tmp_path / "prepared")
    (site,) = secure.free_ports(1)
    env = dict(os.environ) | {"SITE_PORT": str(site), "SECRETS": str(prepared / "proxy")}
    with ExitStack() as stack:
        for name in SERVICES:
            env |= {f"{name.upper()}_HOST": "localhost"}
            env |= {f"{name.upper()}_PORT": str(stack.enter_context(named(name)))}
        command = [caddy, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
        log = tmp_path / "caddy.log"
        stack.enter_context(secure.process(command, env, log))
        trust = ssl.create_default_context(cafile=prepared / "valise" / "ca.crt")
        client = stack.enter_context(
            httpx.Client(base_url=f"https://localhost:{site}", verify=trust, trust_env=False)
        )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with suppress(httpx.TransportError):
                client.get("/")
                break
            time.sleep(0.1)
        for service, requests in FAMILIES.items():
            for method, path in requests:
                assert client.request(method, path).text == service, (method, path)
        assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize("files", sorted(FILES))
def test_docker_compose_accepts_the_files(files: str) -> None:
    compose = shutil.which("docker-compose")
    if compose is None:
        pytest.skip("docker-compose is not installed (apt-get install docker-compose)")
    arguments = [part for path in FILES[files] for part in ("-f", str(path))]
    done = subprocess.run(
        [compose, *arguments, "config"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    rendered = yaml.safe_load(done.stdout)["services"]
    assert set(SERVICES) <= set(rendered)
    # What our own merging says is what Compose makes of it.
    for name, service in merged(FILES[files]).items():
        shown = rendered[name].get("environment", {})
        assert shown.keys() == service["environment"].keys()
