"""The worked example of docs/runners.md works."""

import re
import threading
from pathlib import Path

from executions.runners.base import Context, End
from executions.runners.output import OutputBuffer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "runners.md"


def test_the_example_runner_runs():
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
    names: dict = {}
    exec(compile(code, str(PAGE), "exec"), names)
    runner = names["Countdown"](None)
    assert names["Countdown"].check(None, {}) == [("start", "required: a whole number")]
    said = []
    context = Context("PEXEC-1", "T", 1, "t", 5.0, OutputBuffer(), threading.Event())
    context.progress = lambda percent, line: said.append(line)
    outcome = runner.run({"start": 2}, context)
    assert (outcome.end, outcome.result) == (End.COMPLETED, {"counted": 2})
    assert said == ["2 left", "1 left"]
