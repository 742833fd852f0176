"""`valise reclassify` as an administrator sees it."""

import subprocess
from typing import Any

from services.cli.reclassify import as_text, label
from tests.pipeline.deployments import VALISE, free_port

SUMMARY: dict[str, Any] = {
    "dry_run": True,
    "release": 2,
    "complete": True,
    "notes": 12_345,
    "due": 12_000,
    "changed": 2,
    "corrected": 1,
    "current": 340,
    "withdrawn": 5,
    "waiting": 0,
    "published": 0,
    "repeated": 0,
    "refused": 0,
    "unreadable": 0,
    "tags": [
        {"tag": "theme:sante", "added": 2, "removed": 0},
        {"tag": "mentioned:DE", "added": 0, "removed": 1},
    ],
    "examples": [
        {
            "id": "105be485-7d6e-50c1-89e7-3216735d3870",
            "subject": "Réforme des retraites",
            "added": ["theme:sante"],
            "removed": ["mentioned:DE"],
        }
    ],
}


def test_a_dry_run_is_told_in_french() -> None:
    assert [line.replace("\u202f", " ") for line in as_text(SUMMARY)] == [
        "Version 2 du classement : simulation, rien n'est publié",
        "12 345 notes dans le journal : 12 000 à reclasser, 340 déjà à jour, 5 retirées",
        "2 notes changeraient d'étiquettes sur 12 000 à reclasser",
        "1 note corrigée par un lecteur garde ses thèmes et pays",
        "",
        "                                ajoutée    retirée",
        "Thème : Santé                         2          0",
        "Pays : Allemagne (mentionné)          0          1",
        "",
        "Exemples",
        "  105be485-7d6e-50c1-89e7-3216735d3870  Réforme des retraites",
        "    + Santé ; − Allemagne (mentionné)",
    ]


def test_a_run_that_was_stopped_says_so() -> None:
    stopped = SUMMARY | {
        "dry_run": False,
        "complete": False,
        "published": 50,
        "changed": 0,
        "corrected": 0,
        "repeated": 1,
        "tags": [],
        "examples": [],
    }
    assert as_text(stopped)[2:] == [
        "Aucune note ne change d'étiquettes sur 12\u202f000 à reclasser",
        "50 reclassements publiés",
        "1 état redit pour que le dernier événement soit le plus récent",
        "Interrompu avant la fin : relancer la commande pour reprendre",
    ]


def test_tags_have_french_names() -> None:
    assert label("subtheme:sante.vaccination") == "Vaccination"
    assert label("about:DE") == "Allemagne"
    assert label("organisation:OIT") == "OIT"
    assert label("theme:unknown") == "unknown"


def test_without_a_service_it_says_so_and_exits_3() -> None:
    failed = subprocess.run(
        [VALISE, "reclassify", "--dry-run"],
        env={"VALISE_URL": f"http://127.0.0.1:{free_port()}", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert failed.returncode == 3
    assert "Traceback" not in failed.stderr
