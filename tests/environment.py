"""The suite's environment, set before Django reads its settings (loaded by `-p` in pyproject)."""

import os
import shutil
import tempfile

VAR = tempfile.mkdtemp(prefix="pexec-test-")
os.environ["PEXEC_VAR"] = VAR
os.environ["REDIS_URL"] = f"unix://{VAR}/redis.sock"
os.environ["PEXEC_API_RATE"] = "1000000/min"  # users of different tests share a number
os.environ["PEXEC_RUNNERS"] = "noop,sleep,shell,http,python,external"


def pytest_unconfigure(config):
    shutil.rmtree(VAR, ignore_errors=True)
