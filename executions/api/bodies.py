"""How much a request may bring, by its address. Knows no framework: the web server asks, too."""

from __future__ import annotations

import re
from typing import Final

from executions.specs import LARGE_SPEC_BYTES

SMALL_BODY_BYTES: Final = 4 * 1024 * 1024
"""A file of a spec or of limits on a page (2 MiB) with what else its form holds."""
SPEC_ADDRESS: Final = re.compile(r"/api/v1/(?:task-groups/(?:[^/]+/)?|executions/)\Z")


def largest_body(path: str) -> int:
    """How many bytes at most: only where a spec comes over REST may they be many."""
    return LARGE_SPEC_BYTES if SPEC_ADDRESS.search(path) else SMALL_BODY_BYTES
