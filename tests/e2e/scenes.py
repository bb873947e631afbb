"""Runs worth looking at: one that waits for everything and has failures, and one of each end."""

LONG_S = 900
LEDGER = {
    "name": "Move to the new ledger",
    "max_concurrency": 9,
    "failure_strategy": "retry_failed",
    "max_retries": 0,
    "resources": {"ledger-db": {"capacity": 1}},
}
CHECK = (
    "echo reading the archive; echo 'Traceback (most recent call last):' >&2; "
    "echo 'ValueError: checksum of part 3 does not match' >&2; exit 2"
)
ROWS = f"for i in $(seq {LONG_S}); do echo row $i; echo ::progress $((i / 9)) row $i; sleep 1; done"


def _tasks(prefix, count, **fields):
    return [{"id": f"{prefix}-{n}", **fields} for n in range(1, count + 1)]


def _sleeps(seconds):
    return {"runner": "sleep", "payload": {"seconds": seconds}}


def ledger():
    """Goes on until it is cancelled; waits for a team, a type, a resource and a person."""
    drawn = {"title": "Draw a page", "team": "design_team", "duration_s": 120, **_sleeps(LONG_S)}
    read = {
        "title": "Import a year of invoices",
        "runner": "shell",
        "payload": {"command": ROWS},
        "team": "dev_team",
        "task_type": "heavy_computation",
        "priority": 75,
        "duration_s": 300,
    }
    moved = {
        "title": "Rehearse the migration",
        "team": "dev_team",
        "required_resources": [{"id": "ledger-db", "exclusive": True}],
        "duration_s": 100,
        **_sleeps(LONG_S),
    }
    asked = "Compare the totals of the ledger with the bank's file.\nAnswer with the difference."
    refused = {"seconds": 0.1, "fail_with": "rate service answered 503"}
    return {
        **LEDGER,
        "tasks": [
            *_tasks("DRAW", 4, **drawn),
            *_tasks("IMPORT", 4, **read),
            *_tasks("MIGRATE", 2, **moved),
            {"id": "SETTINGS", "title": "Read the settings", "priority": 92},
            {"id": "CHECK", "title": "Check the archive", "runner": "shell",
             "payload": {"command": CHECK}, "team": "dev_team", "priority": 95},
            *_tasks("COMPARE", 3, title="Compare old and new records", depends_on=["CHECK"]),
            {"id": "RATES", "title": "Ask the rate service", "runner": "sleep",
             "payload": refused, "task_type": "api_calls", "priority": 94},
            {"id": "SIGN-OFF", "title": "Sign off the numbers", "runner": "external",
             "payload": {"instructions": asked}, "team": "pm_team", "priority": 95},
            {"id": "REPORT", "title": "Write the report", "depends_on": ["SIGN-OFF", "MIGRATE-1"]},
        ],
    }  # fmt: skip


def nightly():
    """A group with a plan worth reading: two teams, one resource, one failure."""
    return {
        "name": "Nightly checks",
        "description": "What is built by day is tried by night.",
        "max_concurrency": 4,
        "failure_strategy": "continue_on_failure",
        "resources": {"staging-db": {"capacity": 1}},
        "tasks": [
            *_tasks("BUILD", 3, team="dev_team", task_type="heavy_computation", duration_s=1,
                    **_sleeps(1)),
            *_tasks("PAGE", 3, team="design_team", task_type="light_tasks", duration_s=0.5,
                    **_sleeps(0.5)),
            *_tasks("TRY", 2, depends_on=["BUILD-1"], duration_s=0.6, **_sleeps(0.6),
                    required_resources=[{"id": "staging-db", "exclusive": True}]),
            {"id": "SHIP", "runner": "shell", "payload": {"command": "echo no space left; exit 1"},
             "depends_on": ["TRY-1", "PAGE-2"], "priority": 95},
            {"id": "TELL", "depends_on": ["SHIP"]},
        ],
    }  # fmt: skip


def stopped():
    """A run whose first failure ends it."""
    return {
        "name": "Weekly backup",
        "failure_strategy": "fail_fast",
        "tasks": [
            {"id": "DISK-1", **_sleeps(30)},
            {"id": "DISK-2", "runner": "shell", "payload": {"command": "sleep 1; exit 1"}},
            {"id": "TAPE", "depends_on": ["DISK-1"]},
        ],
    }


def given_up():
    """A run for somebody to cancel."""
    return {"name": "Given up", "tasks": _tasks("COPY", 4, **_sleeps(60))}


BROKEN = """name: Broken
max_concurrency: 0
tasks:
- {id: A, depends_on: [C], team: no_team}
- {id: B, depends_on: [A]}
- {id: C, depends_on: [B], priority: 101}
"""
CHANGED = """name: Nightly checks
max_concurrency: 6
tasks:
- {id: BUILD-1, team: dev_team, priority: 80, runner: sleep, payload: {seconds: 1}}
- {id: NEW, depends_on: [BUILD-1]}
"""
LIMITS = """teams: {dev_team: {max_parallel: 6}, night_team: {max_parallel: 2}}
resources: {staging-db: {capacity: 2}}
"""
