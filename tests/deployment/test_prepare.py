"""The scripts that make certificates, passwords and users: once, renewed in time, or given ones."""

import base64
import json
import os
import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.deployment import secure


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def nearly_over(prepared: Path) -> str:
    """Kafka's certificate as it is made, but for its end: in twenty days."""
    authority, request = prepared / "authority", prepared / "kafka" / "request"
    names = prepared / "kafka" / "names"
    names.write_text("subjectAltName=DNS:kafka\n")
    key = prepared / "kafka" / "tls.key"
    openssl("req", "-new", "-key", key, "-subj", "/CN=kafka", "-out", request)
    return openssl(
        "x509", "-req", "-in", request, "-CA", authority / "ca.crt",
        "-CAkey", authority / "ca.key", "-set_serial", "7", "-days", "20", "-extfile", names,
    )  # fmt: skip


def test_a_second_run_keeps_everything(tmp_path: Path) -> None:
    first = contents(secure.prepare(tmp_path))
    assert contents(secure.prepare(tmp_path)) == first


def test_each_service_gets_its_own_secrets_and_only_those(tmp_path: Path) -> None:
    secure.prepare(tmp_path)
    names = {path.name: {each.name for each in path.iterdir()} for path in tmp_path.iterdir()}
    assert names["valise"] == {
        "ca.crt", "kafka-password", "elasticsearch-password", "database-password",
    }  # fmt: skip
    for service in ("kafka", "elasticsearch", "postgres", "proxy", "valise"):
        assert "ca.key" not in names[service]
    assert "elastic-password" in names["elasticsearch"]
    assert "postgres-password" not in names["valise"]


def test_what_only_an_administrator_has_is_handed_on_and_taken_back(tmp_path: Path) -> None:
    prepared, given = tmp_path / "prepared", tmp_path / "given"
    given.mkdir()
    (given / "people.toml").write_text("[[people]]\n")
    (given / "oidc-client-secret").write_text("du fournisseur")
    secure.prepare(prepared, given=given)
    for name in ("people.toml", "oidc-client-secret"):
        held = list(prepared.rglob(name))
        assert held == [prepared / "valise" / name]
        assert held[0].read_bytes() == (given / name).read_bytes()
        assert held[0].stat().st_mode & 0o077 == 0
        (given / name).unlink()
    secure.prepare(prepared, given=given)
    assert not [*prepared.rglob("people.toml"), *prepared.rglob("oidc-client-secret")]


def test_nobody_else_on_the_machine_reads_a_secret(tmp_path: Path) -> None:
    secure.prepare(tmp_path)
    for path in tmp_path.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_engines_certificates_are_for_their_names_and_brokers_are_clients_too(
    tmp_path: Path,
) -> None:
    secure.prepare(tmp_path, SITE_HOST="valise.example.fr")
    names = {"kafka": "kafka-3", "elasticsearch": "elasticsearch", "postgres": "postgres"}
    for service, name in (names | {"proxy": "valise.example.fr"}).items():
        certificate = tmp_path / service / "tls.crt"
        authority = tmp_path / "authority" / "ca.crt"
        openssl("verify", "-CAfile", authority, "-verify_hostname", name, certificate)
        text = openssl("x509", "-in", certificate, "-noout", "-text")
        assert ("TLS Web Client Authentication" in text) == (service == "kafka")


def test_another_site_name_or_a_certificate_near_its_end_is_made_anew(tmp_path: Path) -> None:
    secure.prepare(tmp_path)
    before = (tmp_path / "proxy" / "tls.crt").read_bytes()
    kafka = (tmp_path / "kafka" / "tls.crt").read_bytes()
    secure.prepare(tmp_path, SITE_HOST="valise.example.fr")
    assert (tmp_path / "proxy" / "tls.crt").read_bytes() != before
    assert (tmp_path / "kafka" / "tls.crt").read_bytes() == kafka

    short = nearly_over(tmp_path)
    (tmp_path / "kafka" / "tls.crt").write_text(short)
    secure.prepare(tmp_path, SITE_HOST="valise.example.fr")
    assert (tmp_path / "kafka" / "tls.crt").read_text() != short


def test_given_passwords_and_a_given_certificate_are_taken(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "kafka-password").write_text("un-mot-de-passe-choisi\n")
    (given / "tls.crt").write_text("certificat de la maison")
    (given / "tls.key").write_text("clef de la maison")
    out = secure.prepare(tmp_path / "out", given)
    assert secure.secret(out, "valise", "kafka-password") == "un-mot-de-passe-choisi"
    assert secure.secret(out, "kafka", "kafka-password") == "un-mot-de-passe-choisi"
    assert secure.secret(out, "proxy", "tls.crt") == "certificat de la maison"


@pytest.mark.parametrize("password", ["court", 'douze"lettres"et,des=signes'])
def test_a_password_that_an_engine_would_misread_is_refused_and_not_shown(
    tmp_path: Path, password: str
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "kafka-password").write_text(password)
    done = subprocess.run(
        ["sh", secure.COMPOSE / "prepare.sh", tmp_path / "out", given],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "kafka-password" in done.stderr
    assert password not in done.stderr


def test_valises_user_is_made_on_elasticsearch_with_rights_on_its_own_indices(
    tmp_path: Path,
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    prepared = secure.prepare(tmp_path)
    asked: list[tuple[str, str, dict[str, object]]] = []

    class Recorder(BaseHTTPRequestHandler):
        """Takes what Elasticsearch would be asked: its security is in the official image only."""

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, self.headers["Authorization"], json.loads(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder = prepared / "elasticsearch"
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    with HTTPServer(("127.0.0.1", 0), Recorder) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            done = subprocess.run(
                ["sh", secure.COMPOSE / "elasticsearch" / "user.sh"],
                env=os.environ
                | {
                    "SECRETS": str(folder),
                    "ELASTICSEARCH": f"https://localhost:{server.server_address[1]}",
                },
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
        finally:
            server.shutdown()
            thread.join()
    assert done.returncode == 0, done.stderr
    superuser = secure.secret(prepared, "elasticsearch", "elastic-password")
    sign_in = "Basic " + base64.b64encode(f"elastic:{superuser}".encode()).decode()
    password = secure.secret(prepared, "valise", "elasticsearch-password")
    indices = [{"names": ["valise-notes*"], "privileges": ["all"]}]
    assert asked == [
        ("/_security/role/valise", sign_in, {"cluster": ["monitor"], "indices": indices}),
        ("/_security/user/valise", sign_in, {"password": password, "roles": ["valise"]}),
    ]
