"""Every runner: success, failure, timeout, cancel, huge output, hostile text; nothing stays."""

import os
import threading
import time
from pathlib import Path

import pytest

from executions.runners.base import Context, End
from executions.runners.output import OutputBuffer, as_text
from executions.runners.processes import children_by_parent
from executions.runners.registry import RunnerOptions, RunnerSet
from tests.runners.conftest import Bench
from tests.runners.services import serving, silent

WORK = "tests.runners.work."
MEGABYTE = 1 << 20
HOSTILE = b"<script>alert(1)</script> \x1b[31m\x00\xff \xe2\x80\xae=cmd|'/C calc'!A0 \r\n"
"""Markup, ANSI, NUL, no UTF-8, right-to-left, a spreadsheet's formula."""


@pytest.fixture(scope="module")
def port():
    with serving() as server:
        yield server.server_port


@pytest.fixture(scope="module")
def silent_port():
    with silent() as port:
        yield port


@pytest.fixture(scope="module")
def all_runners(tmp_path_factory):
    names = ["noop", "sleep", "shell", "http", "python", "external"]
    found = RunnerSet(
        names,
        RunnerOptions(
            tmp_path_factory.mktemp("scratch"),
            python_callables=(f"{WORK}*",),
            http_allowed=("127.0.0.1",),
        ),
    )
    found.start()
    yield found
    found.stop()


@pytest.fixture
def bench(all_runners):
    """With the process tables compared before and after."""
    made = Bench(all_runners)
    yield made
    assert made.left() == []
    assert list(Path(all_runners._runners["shell"]._scratch._directory).iterdir()) == []


def payloads(port, silent_port):
    """What succeeds, what fails and with which words, and what takes too long, of each runner."""
    here = f"http://127.0.0.1:{port}"
    return {
        "noop": ({}, None, "", None),
        "sleep": ({}, {"fail_with": "flaky"}, "flaky", {"seconds": 60}),
        "shell": (
            {"command": "echo done"},
            {"command": "echo no; exit 3"},
            "exit code 3: no",
            {"command": "sleep 60 & env -i setsid sleep 60"},
        ),
        "http": (
            {"url": f"{here}/json"},
            {"url": f"{here}/broken"},
            "status 500",
            {"url": f"http://127.0.0.1:{silent_port}/"},
        ),
        "python": (
            {"callable": f"{WORK}add", "args": [1]},
            {"callable": f"{WORK}break_down"},
            "LookupError: nothing there",
            {"callable": f"{WORK}scatter"},
        ),
        "external": (None, {"instructions": "do"}, "claimed, not run by workers", None),
    }


@pytest.mark.parametrize("name", ["noop", "sleep", "shell", "http", "python"])
def test_success(bench, name, port, silent_port):
    outcome = bench.run(name, payloads(port, silent_port)[name][0])
    assert (outcome.end, outcome.error) == (End.COMPLETED, "")


@pytest.mark.parametrize("name", ["sleep", "shell", "http", "python", "external"])
def test_failure(bench, name, port, silent_port):
    _, payload, words, _ = payloads(port, silent_port)[name]
    outcome = bench.run(name, payload)
    assert outcome.end is End.FAILED
    assert words in outcome.error


@pytest.mark.parametrize("name", ["sleep", "shell", "http", "python"])
def test_timeout(bench, name, port, silent_port):
    begun = time.monotonic()
    outcome = bench.run(name, payloads(port, silent_port)[name][3], timeout_s=0.3)
    assert (outcome.end, outcome.error) == (End.TIMED_OUT, "Timeout exceeded")
    assert time.monotonic() - begun < 6.3


@pytest.mark.parametrize("name", ["sleep", "shell", "http", "python"])
def test_cancel(bench, name, port, silent_port):
    stopper = threading.Timer(0.2, bench.stop.set)
    stopper.start()
    assert bench.run(name, payloads(port, silent_port)[name][3]).end is End.CANCELLED
    stopper.join()


def peak_mb(pid="self"):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


@pytest.mark.parametrize(
    ("name", "payload", "size"),
    [
        ("shell", {"command": "head -c 1073741824 /dev/zero"}, 1 << 30),
        ("shell", {"command": "head -c 104857600 /dev/zero | tr '\\0' x"}, 100 * MEGABYTE),
        ("python", {"callable": f"{WORK}chatter", "args": [100]}, 100 * MEGABYTE),
    ],
)
def test_huge_output_is_counted_and_costs_no_memory(bench, all_runners, name, payload, size):
    bench.sh("true")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = peak_mb()
    outcome = bench.run(name, payload, timeout_s=120)
    assert outcome.end is End.COMPLETED
    assert bench.output.total_bytes == size
    assert len(bench.output.head) + len(bench.output.tail) == 65536
    assert peak_mb() - before < 50
    supervisor = all_runners._commands._process.pid
    assert max(map(peak_mb, [supervisor, *children_by_parent()[supervisor]])) < 50


@pytest.mark.parametrize("name", ["shell", "python", "sleep"])
def test_hostile_text_is_passed_as_it_is_and_shown_harmless(bench, name):
    text = HOSTILE.decode(errors="replace").replace("\0", "")
    payload = {
        "shell": {"command": ["sh", "-c", "cat; exit 1"], "stdin": text},
        "python": {"callable": f"{WORK}complain", "args": [text]},
        "sleep": {"fail_with": text},
    }[name]
    outcome = bench.run(name, payload)
    assert outcome.end is End.FAILED
    assert "<script>alert(1)</script>" in outcome.error
    assert "\0" not in outcome.error
    if name != "sleep":
        assert text.encode() in bench.output.head + bench.output.tail
        assert "\x1b" not in bench.printed


def test_any_bytes_may_be_printed(bench):
    outcome = bench.sh(["printf", "".join(f"\\{byte:03o}" for byte in [*HOSTILE, 10])])
    assert outcome.end is End.COMPLETED
    assert bench.output.head == HOSTILE + b"\n"
    assert "\0" not in as_text(bench.output.head)


def test_many_at_once_keep_apart(all_runners):
    ends = {}

    def run(number):
        output = OutputBuffer()
        context = Context("PEXEC-1", f"T{number}", 1, f"many-{number}", 30.0, output)
        payload = {"command": f"echo {number}; echo '[{number}]'; env -i setsid sleep 60 &"}
        ends[number] = (all_runners.run("shell", payload, context).result, output.head)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == {n: ([n], f"{n}\n[{n}]\n".encode()) for n in range(24)}
    assert Bench(all_runners).left() == []


def test_no_descriptor_stays_open(bench):
    for payload in ({"command": "true"}, {"command": ["no-such-program"]}):
        bench.run("shell", payload)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(20):
        bench.sh("sleep 60 & true")
        bench.sh(["no-such-program"])
        bench.run("python", {"callable": f"{WORK}leave", "args": ["_exit"]})
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
