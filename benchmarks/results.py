"""What is printed and kept of a run: figures with date, machine, load and versions."""

import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.pairs import Measured

RESULTS = Path(__file__).resolve().parent / "results.jsonl"
VERSIONS = ("tantivy", "elasticsearch", "aiokafka", "faststream", "spacy", "pydantic", "fastapi")


def machine() -> dict[str, Any]:
    """Cores, processor and memory of this machine."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cores": os.cpu_count(), "cpu": cpu, "memory_gb": round(memory, 1)}


def keep(found: Measured, *, form: str, load: tuple[float, float], seconds: float) -> None:
    """Append one result to results.jsonl. `load` is that before and after."""
    line = asdict(found) | {
        "value": round(found.value, 3),
        "met": found.met,
        "form": form,
        "load": [round(one, 2) for one in load],
        "seconds": round(seconds, 1),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {"python": platform.python_version()} | {n: version(n) for n in VERSIONS},
    }
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def show(found: Measured, *, load: tuple[float, float], seconds: float) -> None:
    """Print one result."""
    goal = ""
    if found.goal is not None:
        sign = "≥" if found.better == "higher" else "≤"
        goal = f"  goal {sign} {found.goal:g}: {'met' if found.met else 'MISSED'}"
    print(
        f"{found.row}  {found.what}: {found.value:.3f} {found.unit}{goal}\n"
        f"     {json.dumps(found.figures, ensure_ascii=False)}"
        f"  load {load[0]:.1f}–{load[1]:.1f}, {seconds:.0f} s",
        flush=True,
    )
