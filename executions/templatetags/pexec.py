"""Words, marks and times for templates; the browser's twin is static/js/words.js."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from pexec_site.static_files import modules_of

register = template.Library()

NONE = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
STATE_ORDER = (
    "completed",
    "running",
    "dispatched",
    "retrying",
    "queued",
    "blocked",
    "failed",
    "skipped",
    "cancelled",
)
HOLDS = {
    "paused": "the execution is paused",
    "critical_phase": "the critical phase is not over",
    "reserved": "kept for a task passed over too long",
    "plan": "the plan holds the slot for a better order",
    "backoff": "its next attempt is not due yet",
    "workers": "no free worker",
}


EARLY = '<meta name="pexec-socket" content="{}"><script type="module" async src="{}"></script>'
FETCHED = '<link rel="modulepreload" href="{}">'


@register.simple_tag
def live_script(name: str, socket: str) -> SafeString:
    """The script of a live page: its socket opens, and all its modules come, while the page does.

    Else each module is asked for when the one that needs it has come, and the socket at last.
    """
    return format_html(
        '{}{}<script type="module" src="{}"></script>',
        format_html(EARLY, socket, static("js/early.js")),
        format_html_join("", FETCHED, ((static(needed),) for needed in modules_of(name)[1:])),
        static(name),
    )


def _mark(look: str, word: str) -> SafeString:
    return format_html(
        '<span class="state state-{0}"><svg class="icon icon-{0}" aria-hidden="true" '
        'viewBox="0 0 16 16"><use href="{1}#{0}"></use></svg>{2}</span>',
        look,
        static("icons.svg"),
        word,
    )


@register.simple_tag
def state_mark(state: str) -> SafeString:
    """State = icon + word + colour."""
    return _mark("cancelled" if state == "returned" else state, state.capitalize())


@register.simple_tag
def execution_mark(execution: Any) -> SafeString:
    """How an execution stands; a completed one with failures says so."""
    failed = execution.counts.get("failed", 0)
    if execution.state == "completed" and failed:
        return _mark("partial", f"Completed with {failed} failure{'' if failed == 1 else 's'}")
    return _mark(execution.state, execution.state.capitalize())


@register.simple_tag
def segments(counts: Mapping[str, int]) -> SafeString:
    """The segmented progress bar as it is without a script: one picture with a name."""
    total = sum(counts.values()) or 1
    shown = [(state, counts[state]) for state in STATE_ORDER if counts.get(state)]
    words = ", ".join(f"{number} {state}" for state, number in shown)
    bars = []
    at = 0.0
    for state, number in shown:
        width = 100 * number / total
        if state not in ("queued", "blocked"):
            bars.append((state, round(at, 3), round(width, 3)))
        at += width
    body = format_html_join(
        "", '<rect class="fill-{}" x="{}" y="0" width="{}" height="10"></rect>', bars
    )
    return format_html(
        '<svg class="segments" role="img" aria-label="{}" viewBox="0 0 100 10" '
        'preserveAspectRatio="none">{}</svg>',
        words or "no tasks",
        body,
    )


@register.filter
def duration(value_s: float | str | None) -> str:
    """`mm:ss`, `h:mm:ss` from one hour, tenths below ten seconds; what is no number has none."""
    if not isinstance(value_s, (int, float)):
        return NONE
    if value_s < 9.95:  # noqa: PLR2004 (below, tenths matter)
        return f"{max(value_s, 0):.1f} s"
    whole = round(value_s)
    hours, rest = divmod(whole, HOUR_S)
    minutes, left = divmod(rest, MINUTE_S)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes:02}:{left:02}"


@register.filter
def duration_ms(value_ms: float | str | None) -> str:
    """The same from milliseconds."""
    return duration(value_ms / 1000 if isinstance(value_ms, (int, float)) else None)


@register.filter
def between(start: datetime | None, end: datetime | None) -> str:
    """How long from one moment to the other, or to now."""
    if start is None:
        return NONE
    return duration(((end or timezone.now()) - start).total_seconds())


@register.simple_tag
def moment(value: datetime | None) -> SafeString:
    """A relative time with the ISO time on hover; scripts keep it fresh."""
    if value is None:
        return SafeString(NONE)
    gone_s = (timezone.now() - value).total_seconds()
    words = "just now"
    for size, name in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min"), (1, "s")):
        if gone_s >= max(size, 5):
            words = f"{int(gone_s // size)} {name} ago"
            break
    iso = value.isoformat(timespec="seconds")
    return format_html('<time datetime="{0}" title="{0}" data-ago>{1}</time>', iso, words)


@register.filter
def key_name(key: str) -> str:
    """What a LimitKey or Hold is called."""
    bare = key.rpartition("/")[2]
    if bare == "max_concurrency":
        return "max concurrency"
    kind, colon, name = bare.partition(":")
    if not colon:
        return kind.replace("_", " ")
    return f"{name} (this group's own limit)" if "/" in key else name


@register.filter
def wait_word(key: str) -> str:
    """Why a task waits, as a sentence's end."""
    if key in HOLDS:
        return HOLDS[key]
    return f"{key_name(key)} is {'taken' if 'resource:' in key else 'full'}"


@register.simple_tag
def left(execution: Any) -> str:
    """When it will be over if all goes as planned: what is left of the forecast."""
    forecast_s = execution.plan.get("makespan_s")
    if not forecast_s or not execution.started_at or execution.completed_at:
        return NONE
    left_s = forecast_s - (timezone.now() - execution.started_at).total_seconds()
    return duration(left_s) if left_s > 0 else f"{duration(-left_s)} over"


@register.simple_tag
def speed_up(execution: Any, speeds: Mapping[int, Mapping[str, float | None]]) -> str:
    """Speed-up so far / forecast."""
    speed = speeds.get(execution.pk, {})
    forecast_s = execution.plan.get("makespan_s")
    words = [NONE, NONE]
    if execution.started_at and (work_s := speed.get("work_s")):
        elapsed = (execution.completed_at or timezone.now()) - execution.started_at
        words[0] = f"{work_s / max(elapsed.total_seconds(), 0.001):.1f}{TIMES}"
    if forecast_s and (estimate_s := speed.get("estimate_s")):
        words[1] = f"{estimate_s / forecast_s:.1f}{TIMES}"
    return NONE if words == [NONE, NONE] else " / ".join(words)


@register.filter
def first_line(text: str) -> str:
    """What an error begins with."""
    return text.partition("\n")[0]


@register.filter
def pretty_json(value: Any) -> str:
    """JSON a person can read."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.filter
def minus(whole: int, part: int) -> int:
    """What is left."""
    return whole - part


@register.filter
def percent(part: float, whole: float) -> int:
    """A share in whole percent."""
    return round(100 * part / whole) if whole else 0


@register.simple_tag(takes_context=True)
def nav_link(context: dict[str, Any], name: str, words: str) -> SafeString:
    """A link of the main navigation that knows whether it is current."""
    address = reverse(name)
    request: HttpRequest = context["request"]
    is_here = request.path == address or (address != "/" and request.path.startswith(address))
    mark = SafeString(' aria-current="page"') if is_here else ""
    return format_html('<li><a href="{}"{}>{}</a></li>', address, mark, words)


@register.simple_tag(takes_context=True)
def query(context: dict[str, Any], **changes: Any) -> str:
    """This page's address query with some of it changed; empty values leave."""
    request: HttpRequest = context["request"]
    known = {**request.GET.dict(), **{k: str(v) for k, v in changes.items()}}
    return "?" + urlencode({k: v for k, v in known.items() if v})


TERMINAL_CODES = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)


@register.filter
def plain(text: str) -> str:
    """Output without what terminals make of it."""
    return TERMINAL_CODES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


@register.simple_tag
def task_why(task: Any, demands: Mapping[int, Mapping[str, Any]]) -> str:
    """Why a task run stands where it stands, in one line."""
    if task.state == "queued":
        keys = demands.get(task.demand, {}).get("keys", [])
        return " · ".join(wait_word(key) for key in keys) or "about to start"
    if task.state == "blocked":
        return f"waits for {', '.join(task.depends_on[:3])}"
    if task.state == "skipped":
        cause = task.skipped_because_of
        return f"skipped because of {cause}" if cause else "the run stopped before it"
    first_line = task.error.split("\n", 1)[0]
    return f"{task.reason}: {first_line}" if task.reason else first_line
