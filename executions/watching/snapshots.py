"""All of an execution as one frame, column by column.

Whoever opens or rejoins a page waits for this, so the database makes the numbers, texts of JSON
are read in bulk, and what many tasks share is said once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import BigIntegerField, Func, TextField
from django.db.models.functions import Cast

from executions import frames
from executions.models import Attempt, Execution, TaskRun
from executions.models.snapshots import own_limits, site_limits
from executions.scheduling.model import local_key
from executions.watching.layers import levels
from executions.watching.rows import demands_of, execution_fields

Column = Sequence[Any]


class EpochMs(Func):
    """A moment as whole milliseconds since 1970, made by the database."""

    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """SQLite keeps moments as texts in UTC and reckons with them in milliseconds."""
        since_1970 = "(julianday(%(expressions)s) - 2440587.5) * 86400000.0"
        template = f"CAST(round({since_1970}) AS INTEGER)"
        return self.as_sql(compiler, connection, template=template, **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """PostgreSQL counts seconds exactly."""
        template = "round(extract(epoch from %(expressions)s) * 1000)::bigint"
        return self.as_sql(compiler, connection, template=template, **extra)

    def get_db_converters(self, connection: Any) -> list[Any]:  # noqa: ARG002 (Django's signature)
        """Both give a number already: no call for each of them."""
        return []


PLAIN = ("task_id", "title", "runner", "priority", "team", "task_type", "duration_s", "demand")
STANDING = ("state", "attempts", "reason", "error", "skipped_because_of")
MOMENTS = ("since", "started_at", "finished_at", "not_before")
DOCUMENTS = ("required_resources", "depends_on", "waits")
LAST_ATTEMPT = ("progress", "progress_line", "worker")
NO_ATTEMPT = (None, "", "", None, None)


def execution_seq(pk: int) -> int:
    """The number of the frame that holds its last change; 0 where it was removed."""
    return Execution.objects.filter(pk=pk).values_list("seq", flat=True).first() or 0


def execution_snapshot(pk: int) -> frames.Frame:
    """All of an execution as one frame.

    Its number is read first: what a later commit changes meanwhile comes again as a delta.
    """
    execution = Execution.objects.get(pk=pk)
    base = int(execution.created_at.timestamp())
    columns = _task_columns(pk, base)
    return frames.snapshot(
        seq=execution.seq,
        now=time.time(),
        base=base,
        execution=execution_fields(execution),
        count=len(columns["id"]),
        tasks={
            name: frames.packed_waits(values) if name == "waits" else frames.packed(values)
            for name, values in columns.items()
        },
        demands=demands_of(pk),
        attempts=_earlier_attempts(pk),
        limits=_limits_seen(execution),
    )


def _task_columns(pk: int, base: int) -> dict[str, Column]:
    """Every column of the tasks in order, moments as milliseconds after `base`."""
    rows = TaskRun.objects.filter(execution_id=pk).order_by("position")
    asked: list[Any] = [
        *PLAIN,
        *STANDING,
        *(EpochMs(name) for name in MOMENTS),
        *(Cast(name, TextField()) for name in DOCUMENTS),
        "pk",
    ]
    names = (*PLAIN, *STANDING, *MOMENTS, *DOCUMENTS, "pk")
    found = dict(zip(names, _columns(rows.values_list(*asked), len(names)), strict=True))
    ids = found.pop("task_id")
    positions = {task_id: position for position, task_id in enumerate(ids)}
    depends_on = _documents(
        found.pop("depends_on"),
        lambda needs: tuple(positions[task] for task in needs if task in positions),
    )
    found |= {name: _after(found[name], base) for name in MOMENTS}
    return {
        "id": ids,
        "resources": _documents(found.pop("required_resources"), _resources),
        "depends_on": depends_on,
        "level": levels(depends_on),
        "waits": json.loads(f"[{','.join(found.pop('waits'))}]"),
        **_last_attempts(pk, found.pop("pk"), base),
        **found,
    }


def _columns(rows: Iterable[Sequence[Any]], count: int) -> list[Column]:
    return list(zip(*rows, strict=True)) or [()] * count


def _documents(texts: Column, read: Callable[[Any], Any]) -> list[Any]:
    """JSON read once for each text that occurs."""
    known = {text: read(json.loads(text)) for text in set(texts)}
    return [known[text] for text in texts]


def _resources(needs: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, int], ...]:
    return tuple(
        (need["id"], 0 if need.get("exclusive") else need.get("amount", 1)) for need in needs
    )


def _after(moments_ms: Column, base: int) -> list[int | None]:
    from_ms = base * 1000
    return [None if ms is None else ms - from_ms for ms in moments_ms]


def _last_attempts(pk: int, keys: Column, base: int) -> dict[str, Column]:
    """How each task's last attempt comes along while it runs, and when it held its slot."""
    rows = (
        Attempt.objects.filter(execution_id=pk)
        .order_by("number")
        .values_list("task_run_id", *LAST_ATTEMPT, EpochMs("dispatched_at"), EpochMs("released_at"))
    )
    last = {row[0]: row[1:] for row in rows}
    names = (*LAST_ATTEMPT, "held_from", "held_to")
    found = dict(zip(names, _columns((last.get(k, NO_ATTEMPT) for k in keys), 5), strict=True))
    released = found["held_to"]
    for name, none in zip(LAST_ATTEMPT, NO_ATTEMPT, strict=False):
        values = zip(found[name], released, strict=True)
        found[name] = [value if ms is None else none for value, ms in values]
    return {**found, **{name: _after(found[name], base) for name in ("held_from", "held_to")}}


def _earlier_attempts(pk: int) -> Iterator[list[Any]]:
    """Ended attempts of task runs that had more than one."""
    moments = ("started_at", "finished_at", "dispatched_at", "released_at")
    rows = Attempt.objects.filter(
        execution_id=pk, task_run__attempts__gt=1, released_at__isnull=False
    ).values_list(
        "number",
        "task_run__attempts",
        "state",
        "task_run__position",
        *(EpochMs(name) for name in moments),
    )
    for number, attempts, state, position, *at_ms in rows:
        if number < attempts:
            started, finished, *held = (None if ms is None else ms / 1000 for ms in at_ms)
            yield [position, number, started, finished, state, *held]


def _limits_seen(execution: Execution) -> dict[str, list[int]]:
    """The limits this execution is under: the site's that it uses and its own."""
    site: dict[str, list[int]] = {key: [0, maximum] for key, maximum in site_limits().items()}
    own: dict[str, list[int]] = {
        local_key(execution.public_id, key): [0, maximum]
        for key, maximum in own_limits(execution.config).items()
    }
    at_once = local_key(execution.public_id, "max_concurrency")
    return {**site, **own, at_once: [0, execution.config.get("max_concurrency", 0)]}
