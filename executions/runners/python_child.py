"""The child process of the python runner: reads a call from stdin, makes it, writes what it gave.

Its last line is the error where there is one; what it returned goes to the file in PEXEC_RESULT.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


def find(dotted: str) -> Callable[..., Any]:
    """The callable of a dotted path."""
    module, _, name = dotted.rpartition(".")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def progress(percent: float, line: str = "") -> None:
    """Report progress: 0 to 100, and what is being done."""
    sys.stdout.write(f"::progress {percent:g} {line}\n")


def main() -> int:
    """Make the call."""
    call = json.load(sys.stdin)
    try:
        function = find(call["callable"])
        kwargs = dict(call.get("kwargs", {}))
        if "progress" in inspect.signature(function).parameters:
            kwargs.setdefault("progress", progress)
        returned = function(*call.get("args", []), **kwargs)
        Path(os.environ["PEXEC_RESULT"]).write_text(json.dumps({"returned": returned}))
    except BaseException as error:  # noqa: BLE001 (whatever it raises, and exit too, is its failure)
        traceback.print_exc()
        sys.stdout.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
