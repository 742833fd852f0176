"""The dashboard and the alert rules ask only for what is there, and lead to what to do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.observability.conftest import Observed, Samples

DEPLOY = ROOT / "deploy"
OPERATIONS = ROOT / "docs" / "operations.md"

FROM_PROMETHEUS = {"instance", "job"}
"""Labels and metrics that Prometheus itself adds."""
UP = "up"

SELECTOR = re.compile(r"\b(up|(?:valise|process)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
GROUPING = re.compile(r"\bby \(([^)]*)\)")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    asked = [str(rule["expr"]) for rule in rules()]
    return asked + [target["expr"] for panel in panels() for target in panel["targets"]]


def complaints(expression: str, samples: Samples) -> list[str]:
    """What an expression asks for that no sample has."""
    wrong = []
    selectors = SELECTOR.findall(expression)
    known = set(FROM_PROMETHEUS)
    for name, matchers in selectors:
        if name != UP and name not in samples:
            wrong.append(f"no metric {name}")
            continue
        given = [labels for labels, _ in samples.get(name, [])]
        names = {label for labels in given for label in labels} | FROM_PROMETHEUS
        known |= names
        for label, operator, value in MATCHER.findall(matchers):
            if label not in names:
                wrong.append(f"{name} has no label {label}")
            elif (
                operator == "="
                and label not in FROM_PROMETHEUS
                and not any(labels.get(label) == value for labels in given)
            ):
                wrong.append(f"{name} is never {label}={value}")
    for group in GROUPING.findall(expression):
        wrong += [f"no label {each}" for each in re.findall(r"\w+", group) if each not in known]
    return wrong if selectors else [f"no metric of ours in {expression}"]


def test_every_panel_and_every_alert_asks_for_metrics_and_labels_that_exist(
    observed: Observed,
) -> None:
    samples = observed.samples()
    found = {expression: complaints(expression, samples) for expression in expressions()}
    assert {expression: wrong for expression, wrong in found.items() if wrong} == {}


def test_a_wrong_metric_label_value_or_grouping_would_be_noticed(observed: Observed) -> None:
    samples = observed.samples()
    assert complaints("rate(valise_outcome_total[5m])", samples) == [
        "no metric valise_outcome_total"
    ]
    assert complaints('valise_lag_records{queue="a"}', samples) == [
        "valise_lag_records has no label queue"
    ]
    assert complaints('valise_lag_records{service="clasify"}', samples) == [
        "valise_lag_records is never service=clasify"
    ]
    assert complaints("sum by (office) (valise_lag_records)", samples) == ["no label office"]


def test_every_metric_of_ours_is_described_in_the_documents(observed: Observed) -> None:
    described = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    for name in observed.samples():
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        if family.startswith("valise_"):
            assert f"`{family}`" in described, family


def test_labels_used_in_an_alerts_words_are_among_those_it_keeps() -> None:
    for rule in rules():
        words = rule["annotations"]["summary"]
        for label in re.findall(r"\$labels\.(\w+)", words):
            kept = re.findall(r"\w+", " ".join(GROUPING.findall(rule["expr"])))
            assert label in kept or label in FROM_PROMETHEUS, (rule["alert"], label)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_leads_to_what_to_do(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    kebab = re.sub(r"(?<!^)(?=[A-Z])", "-", rule["alert"].removeprefix("Valise")).lower()
    assert page == str(OPERATIONS.relative_to(ROOT))
    assert anchor == f"alert-{kebab}"
    assert anchor in anchors(OPERATIONS)


def anchors(page: Path) -> set[str]:
    """What a link can lead to: headings by their words, and anchors written out."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", each.lower()).strip().replace(" ", "-") for each in headings}
    return slugs | set(re.findall(r'(?:id|name)="([^"]+)"', text))


def test_the_dashboards_panels_have_their_own_ids_and_places() -> None:
    shown = panels()
    assert len({panel["id"] for panel in shown}) == len(shown)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in shown]
    assert len(set(places)) == len(places)
