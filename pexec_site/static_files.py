"""Static files under names that change with what they hold, imports between our modules too.

So a browser asks once for each release, and never mixes modules of two. Knows which modules a
module needs, for pages to have them all fetched at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import ManifestFilesMixin
from servestatic.storage import CompressedManifestStaticFilesStorage

MODULES: Final = "js/*.js"
IMPORT: Final = r"""(?P<matched>^import (?P<names>[^;'"]*?) from "(?P<url>\./[^"]+)";)"""
"""As our modules write it, at the start of a line: types in comments may import in circles."""


class ModuleStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # has no types
    """Django's own patterns also read comments and other people's bundles."""

    patterns = (
        *ManifestFilesMixin.patterns,
        (MODULES, ((f"(?m){IMPORT}", 'import %(names)s from "%(url)s";'),)),
    )
    max_post_process_passes = 12  # one more than modules that import one another in a row


@lru_cache
def modules_of(name: str) -> tuple[str, ...]:
    """A module under `static` and all that it imports, directly or not, each once."""
    found = dict.fromkeys([name])
    waiting = [name]
    while waiting:
        for needed in _imports(waiting.pop()):
            if needed not in found:
                found[needed] = None
                waiting.append(needed)
    return tuple(found)


def _imports(name: str) -> Iterator[str]:
    path = finders.find(name)
    if path is not None:
        text = Path(path).read_text(encoding="utf-8")
        folder = name.rpartition("/")[0]
        for found in re.finditer(IMPORT, text, re.MULTILINE):
            yield f"{folder}/{found['url'].removeprefix('./')}"
