"""Functions that the tests let the python runner call."""

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
