"""Runs the measurements: `python -m bench [--only NAME …]`. Prints tables, writes var/bench.json.

A subject is one module of this package with `measure() -> Subject`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.tables import Missing, Subject, print_subject

SUBJECTS = (
    "quality",
    "generality",
    "decisions",
    "replanning",
    "whatif",
    "throughput",
    "postgresql",
    "processes",
    "live",
)


def main(arguments: list[str] | None = None) -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=SUBJECTS, help="measure only this")
    asked = parser.parse_args(arguments)
    if asked.only is None or len(asked.only) > 1:
        return _each_alone(asked.only or SUBJECTS)
    var = Path(os.environ.get("PEXEC_VAR", "var")).absolute()
    measured: dict[str, Subject] = {}
    for name in asked.only:
        if importlib.util.find_spec(f"bench.{name}") is None:
            print(f"\n{name}: not measured yet")
            continue
        began = time.perf_counter()
        try:
            measured[name] = importlib.import_module(f"bench.{name}").measure()
        except Missing as missing:
            print(f"\n{name}: {missing}")
            continue
        print_subject(name, measured[name], time.perf_counter() - began)
    _write(var, {name: subject.as_json() for name, subject in measured.items()})
    return 0 if all(subject.must_reached for subject in measured.values()) else 1


def _each_alone(names: Sequence[str]) -> int:
    """Each in a process of its own, for settings are read once; 1 if one of them missed."""
    command = [sys.executable, "-m", "bench", "--only"]
    return max(subprocess.run([*command, name], check=False).returncode for name in names)


def _write(var: Path, found: dict[str, object]) -> None:
    var.mkdir(parents=True, exist_ok=True)
    path = var / "bench.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    about = {"python": platform.python_version(), "cpus": os.cpu_count()}
    path.write_text(json.dumps({**kept, **found, "about": about}, indent=1))
    print(f"\nwritten to {path}")


if __name__ == "__main__":
    sys.exit(main())
