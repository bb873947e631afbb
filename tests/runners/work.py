"""Functions that the tests let the python runner call."""

# ruff: noqa: PTH102, PTH109, PTH119, PTH208
import os
import signal
import sys
import threading
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


def scatter():
    """Leave a process behind that has dropped all by which it could be known, and hang."""
    if os.fork() == 0:
        os.setsid()
        os.execve("/bin/sleep", ["sleep", "60"], {})
    time.sleep(60)


def escape():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.environ.clear()
            time.sleep(60)
        os._exit(0)
    os.wait()


seen = []


def change_everything():
    """What is changed here and what was changed before."""
    before = [*seen, os.environ.get("LEFT"), "left" in sys.path, signal.getsignal(signal.SIGTERM)]
    before += [os.path.basename(os.getcwd()) == "left", len(os.listdir())]
    seen.append(1)
    os.environ["LEFT"] = "1"
    sys.path.append("left")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.mkdir("left")
    os.chdir("left")
    threading.excepthook = None
    return [str(item) for item in before]


def open_files():
    return sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1]


def environment():
    return dict(os.environ)


def group():
    return [os.getpid(), os.getpgrp(), os.getsid(0)]


def hog(megabytes):
    return len(bytes(megabytes << 20))


def late(path):
    """Returns while a thread still works."""
    import pathlib

    def write():
        time.sleep(0.2)
        pathlib.Path(path).write_text("done")

    threading.Thread(target=write).start()


def chatter(megabytes):
    piece = "x" * (1 << 20)
    for _ in range(megabytes):
        sys.stdout.write(piece)


def complain(text):
    raise ValueError(text)
