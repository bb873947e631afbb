"""`python -m tests.chaos [ROW ...]`: run drills, each on a site of its own, and print the table.

Without rows: all of them, on both databases, at full tempo, and what was seen is written to
docs/faults.md; with `--write` the lines of these rows, of `--mutants` (a rule is taken out, its
drill must fail) or of `--seeds` (mixtures of faults) are replaced there. `--inside` runs one row
in this process; the parent starts itself so for each row.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.chaos.report import NAMES, line_of, write
from tests.postgres import cluster, programs

ROOT = Path(__file__).resolve().parents[2]
LONGEST_S = 1500
started: set[subprocess.Popen[str]] = set()
"""Drills that run now: they end what they started when they are told to."""


def run_inside(row: str, tempo: float, seed: int) -> dict[str, Any]:
    """Run one drill in this process and return what it saw."""
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    from executions.runners.processes import become_subreaper
    from tests.chaos.leftovers import orphans, zombies
    from tests.chaos.load import keep_secret
    from tests.chaos.pages import Pages
    from tests.chaos.site import Site, running
    from tests.chaos.stage import Stage
    from tests.chaos.table import DRILLS, MIX
    from tests.chaos.verdict import told_too_much, verdict

    if code := os.environ.get("DRILL_CODE"):
        manage = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(manage, cwd=code, check=True)
    else:
        call_command("migrate", verbosity=0)
    get_user_model().objects.create_superuser("drill", password=None)
    keep_secret()
    become_subreaper()  # whatever loses its parent comes here and is seen
    site = Site(Path(settings.VAR_DIR), Path(os.environ.get("DRILL_CODE", ROOT)))
    begun = time.monotonic()
    with closing(Pages(site.web_socket)) as pages, running(site):
        stage = Stage(site, tempo, seed, pages)
        said = ""
        try:
            said = DRILLS.get(row, MIX).run(stage)
            faults = [*verdict(stage), *zombies()]
        except AssertionError as error:
            faults = [str(error)]
    faults += [*orphans(), *told_too_much(site.var)]
    return {
        "saw": said,
        "faults": faults,
        "s": time.monotonic() - begun,
        "pages_s": pages.equal_s,
    }


def run_apart(
    row: str,
    tempo: float,
    seed: int,
    database: str = "sqlite",
    more: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Run one drill in a process, a directory and a database of its own; `more` for its site."""
    from tests.chaos.table import DRILLS, MIX

    made = DRILLS.get(row, MIX)
    if why := made.missing():
        skipped = {"saw": f"skipped: {why}", "s": 0, "faults": [], "is_skipped": True}
        return {"row": row, "what": made.what, **skipped}
    with ExitStack() as stack:
        var = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pexec-drill-")))
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "pexec_site.settings",
            "PEXEC_VAR": str(var),
            "REDIS_URL": f"unix://{var}/redis.sock",
            "PEXEC_TEMPO": str(tempo),
            "PEXEC_RUNNERS": "noop,sleep,shell",
            **stack.enter_context(_database(database)),
            **stack.enter_context(made.surroundings(var)),
            **more,
        }
        said = _run_in(environment, var, [row, "--tempo", str(tempo), "--seed", str(seed)])
        return {"row": row, "what": made.what, **said}


@contextmanager
def _database(name: str) -> Iterator[dict[str, str]]:
    """A database that nobody else uses, and how the drill finds it."""
    if name == "sqlite":
        yield {"DATABASE_URL": ""}
        return
    with cluster() as found:
        yield {"DATABASE_URL": found.url, "DRILL_POSTGRES": str(found.home)}


def _run_in(environment: dict[str, str], var: Path, arguments: list[str]) -> dict[str, Any]:
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos", *arguments, "--inside"],
        cwd=ROOT,
        env={k: v for k, v in environment.items() if v or k != "DATABASE_URL"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    started.add(process)
    try:
        out, err = process.communicate(timeout=LONGEST_S)
    except (subprocess.TimeoutExpired, SystemExit, KeyboardInterrupt) as error:
        process.terminate()
        out, err = process.communicate(timeout=90)
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
    finally:
        started.discard(process)
    said = (
        json.loads(out.splitlines()[-1]) if process.returncode == 0 else {"faults": [err[-3000:]]}
    )
    if not said["faults"]:
        return dict(said)
    logs = "\n".join(
        f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}"
        for path in sorted(var.glob("*.log"))
    )
    took_s = time.monotonic() - begun
    return {"saw": "", "s": took_s, "faults": [*said["faults"], logs]}


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("rows", nargs="*")
    parser.add_argument("--tempo", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=[*NAMES], help="only this one (else both)")
    parser.add_argument("--times", type=int, default=1, help="each row so often")
    parser.add_argument("--write", action="store_true", help="what is seen into docs/faults.md")
    parser.add_argument("--mutants", action="store_true", help="without a rule a drill must fail")
    parser.add_argument("--seeds", type=int, help="so many mixtures of faults, instead of rows")
    parser.add_argument("--sites", type=int, help="so many side by side (else two a processor)")
    parser.add_argument("--inside", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pexec_site.settings")
    if options.inside:
        print(json.dumps(run_inside(options.rows[0], options.tempo, options.seed)))
        return 0
    import django

    django.setup()
    from tests.chaos.mutants import run_mutants
    from tests.chaos.seeds import run_seeds

    databases = [options.database] if options.database else _databases()
    if options.mutants:
        return run_mutants(run_apart, databases, is_written=options.write)
    if options.seeds:
        return run_seeds(run_apart, started, databases, options)
    if options.write and options.tempo != 1:
        parser.error("rows are seen at full tempo")
    from tests.chaos.table import DRILLS

    seen = {name: _run_rows(name, options) for name in databases}
    broken = any(result["faults"] for results in seen.values() for result in results)
    if options.write or not (options.rows or options.database or options.tempo != 1):
        kept = {
            name: [line_of(r) for r in results if not (r["faults"] or r.get("is_skipped"))]
            for name, results in seen.items()
        }
        write(kept, [*DRILLS])
    return 1 if broken else 0


def _end(*_: object) -> None:
    """Once: what is put in order then is not to be interrupted by being told again."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit("told to end")


def _databases() -> list[str]:
    if programs() is None:
        print("no PostgreSQL here (apt-get install postgresql): only SQLite")
        return ["sqlite"]
    return list(NAMES)


def _run_rows(database: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    from tests.chaos.table import DRILLS

    results = []
    rows = options.rows or list(DRILLS)
    for row in [row for row in rows if database in DRILLS[row].databases]:
        for n in range(options.times):
            result = run_apart(row, options.tempo, options.seed + n, database)
            mark = "BROKEN" if result["faults"] else "kept"
            print(
                f"{database:>10} {row:>3}  {mark}  {result['saw']}  ({result['s']:.0f} s)",
                flush=True,
            )
            for fault in result["faults"]:
                print(f"       {fault}")
        results.append(result)
    return results


if __name__ == "__main__":
    raise SystemExit(main())
