"""Mixtures of faults from many seeds, on several sites side by side: drills mostly wait."""

from __future__ import annotations

import os
import subprocess
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any

from tests.chaos.report import NAMES, today, write

SITES_A_PROCESSOR = 2


def run_seeds(
    run: Callable[..., dict[str, Any]],
    started: set[subprocess.Popen[str]],
    databases: list[str],
    options: Namespace,
) -> int:
    """So many seeds, shared evenly by the databases; a seed that broke a promise is told.

    Ended early, those that were over by then are written, with their number.
    """
    from tests.chaos.mix import SEEDS_A_SITE

    begun = time.monotonic()
    sites = options.sites or SITES_A_PROCESSOR * (os.cpu_count() or 1)
    results: dict[str, list[dict[str, Any]]] = {database: [] for database in databases}
    with ThreadPoolExecutor(sites) as pool:
        running: dict[Future[dict[str, Any]], tuple[str, int]] = {}
        firsts = range(options.seed, options.seed + options.seeds, SEEDS_A_SITE)
        for n, seed in enumerate(firsts):
            database = databases[n % len(databases)]
            running[pool.submit(run, "mix", options.tempo, seed, database)] = (database, seed)
        try:
            for done in as_completed(running):
                results[running[done][0]].append(_told(*running[done], done.result()))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(started):
                process.terminate()
            raise
        finally:
            over = {database: found for database, found in results.items() if found}
            broken = any(result["faults"] for found in over.values() for result in found)
            took = f"{(time.monotonic() - begun) / 60:.0f} min"
            count = SEEDS_A_SITE * sum(map(len, over.values()))
            print(f"{count} seeds on {sites} sites side by side: {took}", flush=True)
            if options.write and not broken:
                conditions = f"{took} ({sites} sites side by side, tempo {options.tempo:g})"
                write({"seeds": [_line(*item, conditions) for item in over.items()]}, [])
    return int(broken)


def _told(database: str, seed: int, result: dict[str, Any]) -> dict[str, Any]:
    mark = "BROKEN" if result["faults"] else "kept"
    print(f"{database:>10} seeds from {seed}: {mark}  ({result['s']:.0f} s)", flush=True)
    for fault in result["faults"]:
        print(f"       {fault}", flush=True)
    return {"first": seed, **result}


def _line(database: str, results: list[dict[str, Any]], conditions: str) -> tuple[str, ...]:
    """All that was kept on one database, as cells."""
    from tests.chaos.mix import SEEDS_A_SITE

    faults = Counter(fault for result in results for fault in result["saw"].split(", "))
    counted = ", ".join(f"{name} {n}" for name, n in sorted(faults.items()))
    return (
        NAMES[database],
        str(len(results) * SEEDS_A_SITE),
        f"{faults.total()}: {counted}",
        "every promise kept",
        conditions,
        today(),
    )
