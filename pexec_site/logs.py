"""How every process logs: one line an event, for people (`plain`) or machines (`json`).

What a line must never hold is taken out here: the token of an attempt is the right to end it.
"""

from __future__ import annotations

import re
from typing import Any

import structlog

FORMATS = ("plain", "json")
TOKEN_IN_PATH = re.compile(r"(/work/)[^/\s]+(/)")


def without_tokens(_logger: object, _name: str, event: structlog.types.EventDict) -> Any:
    """Hide the token in the path of a request about external work."""
    request = event.get("request")
    if isinstance(request, str):
        event["request"] = TOKEN_IN_PATH.sub(r"\1…\2", request)
    return event


SHARED: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    without_tokens,
]
"""For our own lines and for those of libraries."""


def logging_config(form: str, level: str) -> dict[str, Any]:
    """Django's LOGGING in one of FORMATS; sets structlog up to feed it."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    last: list[structlog.types.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if form == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=False,
                exception_formatter=structlog.dev.plain_traceback,  # the other shows local values
            )
        ]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "executions": {"level": level},
            "pexec_site": {"level": level},
            "django_structlog": {"level": level},
            "django": {"handlers": [], "level": "WARNING", "propagate": True},
            "django.request": {"level": "CRITICAL"},  # said as `request_failed`, without tokens
        },
    }
