"""Settings: a wrong one stops the program with one line that names it."""

import subprocess
from pathlib import Path

import pytest

from services.runtime.errors import Misconfigured
from services.runtime.settings import Settings, check_names
from tests.conftest import ROOT
from tests.pipeline.deployments import VALISE

DISTRIBUTED = {
    "VALISE_KAFKA": "k:9092",
    "VALISE_ELASTICSEARCH": "http://e:9200",
    "VALISE_DATABASE": "postgresql://d/valise",
}


def test_nothing_set_is_the_embedded_deployment() -> None:
    settings = Settings.from_env({})
    assert not settings.distributed
    assert settings.registry_url == "sqlite:///valise-data/registry.sqlite3"


def test_all_three_engines_set_is_the_distributed_deployment() -> None:
    assert Settings.from_env(DISTRIBUTED).distributed


@pytest.mark.parametrize("missing", sorted(DISTRIBUTED))
def test_only_some_engines_set_is_an_error_that_names_the_missing_one(missing: str) -> None:
    env = {name: value for name, value in DISTRIBUTED.items() if name != missing}
    with pytest.raises(Misconfigured, match=f"^{missing} manque"):
        Settings.from_env(env)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VALISE_MAX_BODY_BYTES", "beaucoup"),
        ("VALISE_STALL_SECONDS", "0"),
        ("VALISE_INDEX", "Majuscules"),
        ("VALISE_LOG_LEVEL", "BAVARD"),
        ("VALISE_PROXIES", "127.0.0.1, mandataire"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=name) as refused:
        Settings.from_env({name: value})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("VALISE_DISK_LOW_BYTES", "2Go", "« 2Go » ne convient pas ; un nombre d'octets"),
        ("VALISE_DISK_LOW_BYTES", "2Go", "2147483648"),
        ("VALISE_MAX_FILE_BYTES", "1,5 Mo", "1572864"),
        ("VALISE_DOCUMENTS_BYTES", "512MiB", "536870912"),
        ("VALISE_JOURNAL_DAYS", "un an", "un nombre entier est attendu"),
        ("VALISE_SESSION_HOURS", "12.5", "un nombre entier est attendu"),
        ("VALISE_SESSION_HOURS", "0", "au moins 1"),
        ("VALISE_RATE", "vite", "un nombre est attendu"),
        ("VALISE_STALL_SECONDS", "0", "supérieur à 0"),
        ("VALISE_LOG_FORMAT", "xml", "json ou text"),
        ("VALISE_PUBLIC_URL", "valise.example.org", "une adresse est attendue"),
        ("VALISE_APPROVED", "otan_secret", "valeurs admises"),
        ("VALISE_INDEX", "Notes", "un nom en minuscules"),
    ],
)
def test_a_wrong_value_is_shown_with_what_is_expected(name: str, value: str, said: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        Settings.from_env({name: value})
    assert str(refused.value).startswith(f"{name} : « ")
    assert said in str(refused.value)
    assert not {"should", "valid", "Input", "not"} & set(str(refused.value).split())


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("VALISE_JOURNAL_DAY", "VALISE_JOURNAL_DAYS"),
        ("VALISE_DATABSE_PASSWORD_FILE", "VALISE_DATABASE_PASSWORD_FILE"),
        ("VALISE_ORIGINAL", "VALISE_ORIGINALS"),
        ("VALISE_LOGLEVEL", "VALISE_LOG_LEVEL"),
        ("valise_data", "VALISE_DATA"),
        ("VALISE_KYE", "VALISE_KEY"),
        ("VALISE_KAFKA_USER_FILE", "VALISE_KAFKA_USER"),
        ("VALISE_PORT", "n'est pas un réglage"),
        ("VALISE_COLOUR", "n'est pas un réglage"),
    ],
)
def test_a_name_that_is_no_setting_stops_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(Misconfigured, match=name) as refused:
        check_names({name: "9", "VALISE_DATA": "x"})
    assert nearest in str(refused.value)
    assert "\n" not in str(refused.value)


def test_settings_and_what_others_set_are_names_that_pass() -> None:
    check_names({f"VALISE_{name.upper()}": "" for name in Settings.model_fields})
    check_names(dict.fromkeys(("VALISE_URL", "VALISE_KEY", "VALISE_KEY_FILE", "VALISE_POST"), "x"))
    check_names({"VALISE_KAFKA_PASSWORD_FILE": "x", "PATH": "/bin", "VALISETTE": "1"})
    check_names(
        {
            "VALISE_SERVICE_HOST": "10.0.0.1",
            "VALISE_SERVICE_PORT_HTTP": "8000",
            "VALISE_SEARCH_SERVICE_PORT": "8000",
            "VALISE_PORT": "tcp://10.0.0.1:8000",
            "VALISE_PORT_8000_TCP_ADDR": "10.0.0.1",
        }
    )


def test_the_program_stops_at_a_misspelt_setting() -> None:
    refused = run({"VALISE_JOURNAL_DAY": "30"}, "serve")
    assert refused.returncode == 2
    assert "VALISE_JOURNAL_DAYS" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def run(env: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [VALISE, *arguments],
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_serve_with_the_distributed_settings_says_what_to_do(tmp_path: Path) -> None:
    refused = run(DISTRIBUTED, "serve", "--data", str(tmp_path))
    assert refused.returncode == 2
    assert "valise run" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_run_without_the_distributed_settings_says_what_to_do() -> None:
    refused = run({}, "run", "search")
    assert refused.returncode == 2
    assert "valise serve" in refused.stderr


def test_serve_beyond_this_machine_is_refused_while_there_are_no_keys(tmp_path: Path) -> None:
    refused = run({}, "serve", "--data", str(tmp_path), "--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "127.0.0.1" in refused.stderr


def test_every_setting_is_described_in_the_documents() -> None:
    described = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        assert f"`VALISE_{name.upper()}`" in described, name
