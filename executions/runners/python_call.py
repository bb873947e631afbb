"""What a child of a keeper does to make a call of the python runner. Standard library only.

The JSON of what the callable returns goes to the file named in PEXEC_RESULT; without that file it
has not returned. The last line printed is the error where there is one.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import inspect
import io
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from executions.runners.results import RESULT_LIMIT_BYTES


class TooLargeError(Exception):
    """What a callable returned is larger than a result may be."""


def make(call: Mapping[str, Any], env: Mapping[str, str]) -> int:
    """Make a call in this process, which is of no other use any more; its exit code."""
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [call["callable"]]
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 (for as long as the process lives)
    sys.stdout = _printer(1)
    sys.stderr = _printer(2)
    try:
        _answer(_returned(call))
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 (as multiprocessing does)
        atexit._run_exitfuncs()  # noqa: SLF001 (as well)
    except BaseException as error:  # noqa: BLE001 (whatever it raises, and exit too, is its failure)
        traceback.print_exc()
        sys.stdout.write(f"{_said(error)}\n")
        return 1
    return 0


def _printer(descriptor: int) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)


def _returned(call: Mapping[str, Any]) -> Any:
    module, _, name = call["callable"].rpartition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    kwargs = dict(call.get("kwargs", {}))
    with contextlib.suppress(TypeError, ValueError):  # some built-in ones tell no signature
        if "progress" in inspect.signature(function).parameters:
            kwargs.setdefault("progress", progress)
    return function(*call.get("args", []), **kwargs)


def _answer(returned: Any) -> None:
    text = json.dumps(returned, allow_nan=False, ensure_ascii=False)
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > RESULT_LIMIT_BYTES:
        raise TooLargeError(f"returned {len(data)} bytes of JSON, at most {RESULT_LIMIT_BYTES}")
    Path(os.environ["PEXEC_RESULT"]).write_bytes(data)


def _said(error: BaseException) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, SystemExit):
        text += " (it exited instead of returning)"
    return text


def progress(percent: float, line: str = "") -> None:
    """Report progress: 0 to 100, and what is being done."""
    sys.stdout.write(f"::progress {percent:g} {line}\n")
