"""Functions that the tests let the python runner call."""

import os
import sys
import time


def add(a, b=0):
    return {"sum": a + b}


def break_down():
    raise LookupError("nothing there")


def report(progress):
    progress(50, "half way")


def hang():
    time.sleep(60)


def unspeakable():
    return object()


def leave(how):
    if how == "exit":
        sys.exit(0)
    if how == "raise":
        raise SystemExit
    if how == "interrupt":
        raise KeyboardInterrupt
    os._exit(0)


def give(size_bytes):
    return "x" * (size_bytes - 2)
