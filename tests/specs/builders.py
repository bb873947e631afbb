"""Specs and sites with defaults."""

from executions import specs
from executions.scheduling.model import LimitKind, limit_key


def site(**capacities: int) -> dict:
    found = {
        limit_key(LimitKind.TEAM, "dev_team"): 10,
        limit_key(LimitKind.TASK_TYPE, "api_calls"): 5,
    }
    return found | {limit_key(LimitKind.RESOURCE, n): c for n, c in capacities.items()}


def check_payload(runner, payload, _before):
    if runner == "shell" and "command" not in payload:
        return [("command", "must be given")]
    return [] if runner in ("noop", "shell") else [("", f"no runner '{runner}'")]


def faults_of(data, **capacities: int) -> set[str]:
    """Every fault of a spec given as data, as `place: message`."""
    text = specs.yaml_text.yaml_text(data) if not isinstance(data, str) else data
    try:
        specs.load(text, site=site(**capacities), check_payload=check_payload)
    except specs.SpecInvalidError as error:
        return {str(fault) for fault in error.faults}
    return set()


def group(*tasks: dict, **fields) -> dict:
    return {"name": "g", "tasks": list(tasks) or [{"id": "A"}], **fields}
