"""The report as it is published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from executions.exports.plain_text import escaped_json


def text(report: Mapping[str, Any]) -> str:
    """JSON with two spaces of indent."""
    found = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    return escaped_json(found) + "\n"
