"""The way in from a terminal: what went wrong in words and by a code, never as a traceback."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import InterfaceError, OperationalError

CANNOT = 2
"""As for bad input: nothing was done, and no task failed."""
INTERRUPTED = 130
NOBODY_READS = 141
"""As shells tell signals that ended a program: 128 and the number."""


def main(arguments: Sequence[str]) -> None:
    """Do as the command line says, and exit."""
    _make_whole()
    try:
        code = _done(arguments)
    except BrokenPipeError:  # whoever read what we print has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = NOBODY_READS
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (ImproperlyConfigured, OperationalError, InterfaceError, OSError) as error:
        if "--traceback" in arguments:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stderr.write(f"{_words(error)}\n")
        code = CANNOT
    sys.exit(code)


def _done(arguments: Sequence[str]) -> str | int | None:
    """The code, once all that was printed is out."""
    code: str | int | None = 0
    try:
        execute_from_command_line(list(arguments))
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    return code


def _words(error: Exception) -> str:
    if isinstance(error, ImproperlyConfigured):
        return f"The settings are wrong: {error}"
    if isinstance(error, OSError):
        about = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror or error}{about}"
    return f"The database cannot be reached or written to: {str(error).strip()}"


def _make_whole() -> None:
    """Standard streams that are there, and write what their encoding has no words for.

    Where one was closed its number would go to the next file opened: the database.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123 (as long as we are)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123 (the same)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
