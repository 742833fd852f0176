"""Settings: a wrong one stops the program with one line that names it."""

import subprocess
from pathlib import Path

import pytest

from services.runtime.errors import Misconfigured
from services.runtime.settings import Settings
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
    with pytest.raises(Misconfigured, match=f"^{missing} is missing"):
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
