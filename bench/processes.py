"""What starting real processes costs: 2,000 x `true`, eight at once, beside xargs and GNU parallel.

`site` is a whole site, from submit to the recorded report; `runners` is what a worker does for it,
without dispatcher and database. All contenders take turns. GNU parallel is left out where missing.
"""

from __future__ import annotations

import os
import queue
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.tables import Row, Subject
from bench.throughput import prepare, run, site
from executions.runners.base import Context, End
from executions.runners.output import OutputBuffer
from executions.runners.registry import RunnerOptions, RunnerSet

TASKS = 2000
AT_ONCE = 8
ROUNDS = 3
CALLS = 50

Contender = Callable[[], float]
"""Runs it all once; seconds."""


def measure() -> Subject:
    """Commands a second of each contender, the ratios round by round, and the cost of a call."""
    with tempfile.TemporaryDirectory(prefix="pexec-bench-") as var:
        os.environ["PEXEC_RUNNERS"] = "shell"
        prepare(var)
        runners = RunnerSet(
            ["shell", "python"], RunnerOptions(Path(var) / "own", python_callables=("math.*",))
        )
        runners.start()
        try:
            with site(var, slots=AT_ONCE, contender=False):
                calls_ms = [_call_ms(runners) for _ in range(CALLS)]
                rounds = _rounds(_contenders(runners))
        finally:
            runners.stop()
    rates = {name: median(TASKS / r[name] for r in rounds) for name in rounds[0]}
    return Subject(
        [
            *(Row(f"commands: {n}", rate, "/s", more_is_better=True) for n, rate in rates.items()),
            *_ratios(rounds),
            Row("a call of the python runner", median(calls_ms), "ms", must=20.0),
        ],
        {"rounds_s": rounds, "calls_ms": calls_ms},
    )


def _ratios(rounds: list[dict[str, float]]) -> list[Row]:
    def times(ours: str, theirs: str) -> float:
        return median(r[theirs] / r[ours] for r in rounds)

    rows = [
        Row(f"{ours}, times xargs -P{AT_ONCE} (aim 0.7)", times(ours, "xargs"), more_is_better=True)
        for ours in ("site", "runners")
    ]
    if "GNU parallel" not in rounds[0]:
        print("  GNU parallel is not here: left out (apt-get install parallel)")
        return rows
    ratio = times("site", "GNU parallel")
    return [*rows, Row("site, times GNU parallel", ratio, must=1.5, more_is_better=True)]


def _contenders(runners: RunnerSet) -> dict[str, Contender]:
    found: dict[str, Contender] = {
        "site": _site,
        "xargs": lambda: _piped("xargs", f"-P{AT_ONCE}", "-n1", "sh", "-c", "true"),
        "runners": lambda: _in_lanes(runners),
    }
    if shutil.which("parallel"):
        found["GNU parallel"] = lambda: _piped("parallel", f"-j{AT_ONCE}", "true")
    return found


def _rounds(contenders: dict[str, Contender]) -> list[dict[str, float]]:
    for contender in contenders.values():
        contender()  # nobody pays for the first time
    return [{name: begin() for name, begin in contenders.items()} for _ in range(ROUNDS)]


def _site() -> float:
    tasks = [
        {"id": f"T{n}", "runner": "shell", "payload": {"command": "true"}} for n in range(TASKS)
    ]
    given = {"name": "true", "max_concurrency": AT_ONCE, "planning": False, "tasks": tasks}
    seconds: float = run(given)["seconds"]
    return seconds


def _piped(*command: str) -> float:
    numbers = "\n".join(map(str, range(TASKS)))
    began = time.perf_counter()
    subprocess.run(command, input=numbers, text=True, check=True, capture_output=True)
    return time.perf_counter() - began


def _in_lanes(runners: RunnerSet) -> float:
    left: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(TASKS):
        left.put(number)

    def lane() -> None:
        try:
            while True:
                left.get_nowait()
                _run(runners, "shell", {"command": "true"})
        except queue.Empty:
            return

    lanes = [threading.Thread(target=lane) for _ in range(AT_ONCE)]
    began = time.perf_counter()
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()
    return time.perf_counter() - began


def _call_ms(runners: RunnerSet) -> float:
    began = time.perf_counter()
    _run(runners, "python", {"callable": "math.sqrt", "args": [4]})
    return 1000 * (time.perf_counter() - began)


def _run(runners: RunnerSet, name: str, payload: dict[str, object]) -> None:
    context = Context("PEXEC-1", "T", 1, secrets.token_hex(8), 60.0, OutputBuffer())
    outcome = runners.run(name, payload, context)
    if outcome.end is not End.COMPLETED:
        raise RuntimeError(outcome.error)
