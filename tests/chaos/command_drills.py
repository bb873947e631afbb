"""Rows 11 and 12, and the other half of row 1: what commands do to their worker, and print."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from executions.models import Attempt, AttemptOutput, Execution, TaskRun
from executions.runners.processes import children_by_parent
from executions.scheduling.model import AttemptState, Reason
from tests.chaos.load import command
from tests.chaos.site import wait_until
from tests.chaos.stage import Stage, drill

LIMIT_S = 3.0
TREE_GONE_S = 6.0
MARK = "61.25"
"""How long bad commands would sleep: by this they are known, whatever they threw away."""
BOMB = (
    "f() { [ $1 -gt 0 ] && { f $(($1 - 1)) & f $(($1 - 1)) & }; sleep %s; }; f 4" % MARK  # noqa: UP031
)
"""Sixty-one processes at the most, each ending by itself."""
EATER = "import sys, time; x = b'x' * (int(sys.argv[1]) << 20); time.sleep(float(sys.argv[2]))"
BAD = {
    "deaf": f"trap '' TERM; while :; do sleep {MARK}; done",
    "double-fork": f"(sh -c 'sleep {MARK} & sleep {MARK} &' &) ; sleep {MARK}",
    "setsid": f"setsid setsid sleep {MARK} & setsid sh -c 'sleep {MARK}; true' & sleep {MARK}",
    "unmarked": f"env -i setsid sh -c 'trap \"\" TERM; setsid sleep {MARK} & sleep {MARK}'",
    "bomb": BOMB,
    "deaf-bomb": f"trap '' TERM; {BOMB}",
    "eater": f'python3 -c "{EATER}" 256 {MARK}',
}


def tasks_of(commands: dict[str, str], **more: Any) -> list[dict[str, Any]]:
    """Shell tasks, all free to run at once."""
    return [
        {"id": name, "runner": "shell", "payload": {"command": text}, **more}
        for name, text in commands.items()
    ]


def spec_of(*tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A run of these."""
    return {"name": "commands", "max_concurrency": 8, "tasks": list(tasks), **more}


def sleepers() -> list[int]:
    """What bad commands started and still runs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if MARK.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@drill("11")
def commands_misbehave(stage: Stage) -> str:
    """Commands ignore TERM, double-fork, setsid, multiply, eat memory: gone within limit + 6 s."""
    good = {f"good-{n}": command(stage.diary, 0.5) for n in range(12)}
    limited = {
        "id": "eater-limited",
        "runner": "shell",
        "payload": {"command": f'python3 -c "{EATER}" 1024 1', "limits": {"memory_mb": 300}},
    }
    before = {name: process.pid for name, process in stage.site.processes.items()}
    execution = stage.submit(
        spec_of(*tasks_of(BAD, timeout_ms=int(LIMIT_S * 1000)), limited, *tasks_of(good))
    )
    stage.finish(execution)
    left = sleepers()
    assert not left, f"{len(left)} processes outlived their attempts"
    slowest = 0.0
    for attempt in Attempt.objects.filter(execution=execution).select_related("task_run"):
        name = attempt.task_run.task_id
        if name.startswith("good"):
            assert attempt.state == AttemptState.COMPLETED, f"{name}: {attempt.error}"
        elif name == "eater-limited":
            assert attempt.reason == Reason.ERROR, f"{name}: {attempt.state}"
        else:
            assert attempt.reason == Reason.TIMEOUT, f"{name}: {attempt.state} {attempt.error}"
            held = attempt.released_at - attempt.started_at
            slowest = max(slowest, held.total_seconds() - LIMIT_S)
    assert slowest <= TREE_GONE_S, f"a tree was gone {slowest:.1f} s after its limit"
    assert all(stage.site.processes[n].poll() is None for n in before), "a process of the site died"
    return f"{len(BAD)} kinds, the last tree gone {slowest:.1f} s after its limit, others done"


GIB = 1 << 30
LINE_BYTES = 100_000_000
PRINTED = {
    "gibibyte": (f"yes 'a line of the drill' | head -c {GIB}", GIB),
    "one-line": (f"head -c {LINE_BYTES} /dev/zero | tr '\\0' x", LINE_BYTES),
    "binary": ("head -c 300000 /dev/urandom", 300_000),
    "hostile": (
        r"printf 'nul \000 ansi \033[31mred\033[0m rtl \342\200\256abc bad \377 end'",
        0,
    ),
}
KEPT_BYTES = 65536
GROWTH_KIB = 50 * 1024


def resident_kib(pid: int) -> int:
    """The memory a process has now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


@drill("12")
def commands_print_too_much(stage: Stage) -> str:
    """1 GiB, a line of 100 MB, binary, NUL, ANSI, right to left: capped, marked, shown as text."""
    warm = {f"warm-{n}": "head -c 3000000 /dev/zero" for n in range(16)}
    stage.finish(stage.submit(spec_of(*tasks_of(warm))))
    workers = [p.pid for name, p in stage.site.processes.items() if "worker" in name]
    before = {pid: resident_kib(pid) for pid in workers}
    grown = 0

    def is_over() -> bool:
        nonlocal grown
        grown = max(grown, *(resident_kib(pid) - before[pid] for pid in workers))
        return Execution.objects.filter(pk=execution.pk, completed_at__isnull=False).exists()

    execution = stage.submit(spec_of(*tasks_of({n: text for n, (text, _) in PRINTED.items()})))
    wait_until(is_over, 240, "all is printed")
    stage.finish(execution)
    for output in AttemptOutput.objects.filter(attempt__execution=execution).select_related(
        "attempt__task_run"
    ):
        name = output.attempt.task_run.task_id
        kept = len(output.head) + len(output.tail)
        assert kept <= KEPT_BYTES, f"{name}: {kept} bytes kept"
        size = PRINTED[name][1]
        assert size in (0, output.total_bytes), f"{name}: {output.total_bytes} of {size} bytes"
        _shown_as_text(stage, execution, name, is_cut=size > KEPT_BYTES)
    assert AttemptOutput.objects.filter(attempt__execution=execution).count() == len(PRINTED)
    assert grown < GROWTH_KIB, f"a worker grew by {grown / 1024:.0f} MiB"
    return f"64 KiB kept of each, workers grew by {grown / 1024:.0f} MiB at most"


def _shown_as_text(stage: Stage, execution: Execution, task: str, *, is_cut: bool) -> None:
    """REST gives its end as text and says from where on; the file has a mark."""
    path = f"/api/v1/executions/{execution.public_id}/task-runs/{task}/output/"
    status, answer = stage.asked(path)
    assert status == 200, f"{task}: {status}"
    told = json.loads(answer)
    assert told["text"], f"{task}: no text"
    assert (told["offset"] > 0) == is_cut, f"{task}: from {told['offset']}"
    status, text = stage.asked(f"/executions/{execution.public_id}/tasks/{task}/output/1/")
    assert status == 200, f"{task}: {status}"
    assert ("bytes left out" in text) == is_cut, f"{task}: the mark of what was left out"


def keepers_below(pid: int) -> Iterator[tuple[int, int]]:
    """(keeper, what it runs) of a worker process: worker, supervisor, keeper, command or call."""
    tree = children_by_parent()
    for supervisor in tree.get(pid, ()):
        for keeper in tree.get(supervisor, ()):
            for started in tree.get(keeper, ()):
                yield keeper, started


@contextmanager
def _python_too(_var: Path) -> Iterator[dict[str, str]]:
    yield {"PEXEC_RUNNERS": "noop,sleep,shell,python", "PEXEC_PYTHON_CALLABLES": "time.sleep"}


@drill("1k", surroundings=_python_too)
def children_killed(stage: Stage) -> str:
    """Kill -9 keepers of commands, then calls of Python: ended, tried again, others untouched."""
    calls = [
        {"id": f"call-{n}", "runner": "python", "payload": {"callable": "time.sleep", "args": [3]}}
        for n in range(4)
    ]
    commands = {f"command-{n}": command(stage.diary, 3.0) for n in range(4)}
    said = []
    for tasks, is_keeper in ((tasks_of(commands), True), (calls, False)):
        execution = stage.submit(spec_of(*tasks, failure_strategy="retry_failed"))
        stage.running(execution, 4)
        gone_s, killed = _kill_half(stage, execution, lambda pair, k=is_keeper: pair[0 if k else 1])
        stage.finish(execution)
        assert execution.outcome == "success", f"{execution.outcome} {execution.counts}"
        failed = TaskRun.objects.filter(execution=execution).exclude(failures=0).count()
        assert failed == killed, f"{failed} tasks failed once where {killed} were hit"
        said.append(f"{killed} {'keepers' if is_keeper else 'calls'} gone in {gone_s:.1f} s")
    return ", ".join(said) + ", each tried again, nobody else failed"


def _kill_half(
    stage: Stage, execution: Execution, which: Callable[[tuple[int, int]], int]
) -> tuple[float, int]:
    """Kill two; seconds until what they ran is gone, and how many there were."""
    workers = [p.pid for name, p in stage.site.processes.items() if "worker" in name]
    pairs = [pair for pid in workers for pair in keepers_below(pid)][:2]
    assert pairs, "nothing runs"
    killed_at = time.monotonic()
    for pair in pairs:
        os.kill(which(pair), signal.SIGKILL)
    wait_until(
        lambda: not any(Path(f"/proc/{started}/cmdline").exists() for _, started in pairs),
        TREE_GONE_S,
        "what they ran is gone",
    )
    return time.monotonic() - killed_at, len(pairs)
