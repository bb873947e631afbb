"""`python -m tests.chaos [ROW ...]`: run drills, each on a site of its own, and print the table.

Without rows: all of them at full tempo, and the table is written to docs/faults.md. `--inside` runs
one row in this process; the parent starts itself so for each row.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "faults.md"


def run_inside(row: str, tempo: float, seed: int) -> dict[str, Any]:
    """Run one drill in this process and return what it saw."""
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    from tests.chaos.drills import DRILLS, Stage
    from tests.chaos.site import Site, running
    from tests.chaos.verdict import verdict

    call_command("migrate", verbosity=0)
    get_user_model().objects.create_superuser("drill", password=None)
    site = Site(Path(settings.VAR_DIR))
    begun = time.monotonic()
    with running(site):
        stage = Stage(site, tempo, seed)
        said = DRILLS[row](stage)
    faults = verdict(stage.diary)
    name = (DRILLS[row].__doc__ or "").strip()
    return {"row": row, "what": name, "saw": said, "faults": faults, "s": time.monotonic() - begun}


def run_apart(row: str, tempo: float, seed: int, database: str = "") -> dict[str, Any]:
    """Run one drill in a process, a directory and a database of its own."""
    with tempfile.TemporaryDirectory(prefix="pexec-drill-") as var:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "pexec_site.settings",
            "PEXEC_VAR": var,
            "REDIS_URL": f"unix://{var}/redis.sock",
            "PEXEC_TEMPO": str(tempo),
            "PEXEC_RUNNERS": "noop,sleep,shell",
            **({"DATABASE_URL": database} if database else {}),
        }
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.chaos", row, "--inside"),
                *("--tempo", str(tempo), "--seed", str(seed)),
            ],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        if done.returncode == 0:
            return dict(json.loads(done.stdout.splitlines()[-1]))
        logs = "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}"
            for path in sorted(Path(var).glob("*.log"))
        )
        return {"row": row, "what": "", "saw": "", "s": 0, "faults": [done.stderr[-3000:], logs]}


def write_table(results: list[dict[str, Any]]) -> None:
    """Keep what was seen."""
    lines = [
        "# Faults injected and what was seen",
        "",
        "Made by `make chaos`; every row ran against real processes and broke no promise",
        "(limits, dependencies, attempts, permits, the tasks' own diary, database integrity).",
        "",
        "| row | fault | seen | took |",
        "|---|---|---|---|",
        *(f"| {r['row']} | {r['what']} | {r['saw']} | {r['s']:.0f} s |" for r in results),
    ]
    TABLE.write_text("\n".join(lines) + "\n")


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("rows", nargs="*")
    parser.add_argument("--tempo", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inside", action="store_true")
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(run_inside(options.rows[0], options.tempo, options.seed)))
        return 0
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pexec_site.settings")
    import django

    django.setup()
    from tests.chaos.drills import DRILLS

    results = []
    for row in options.rows or DRILLS:
        result = run_apart(row, options.tempo, options.seed, os.environ.get("DATABASE_URL", ""))
        results.append(result)
        mark = "BROKEN" if result["faults"] else "kept"
        print(f"{row:>3}  {mark}  {result['saw']}  ({result['s']:.0f} s)", flush=True)
        for fault in result["faults"]:
            print(f"       {fault}")
    broken = any(result["faults"] for result in results)
    if not options.rows and not broken:
        write_table(results)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
