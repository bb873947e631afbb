"""Every table; import models from here."""

from executions.models import audit_people  # noqa: F401 (listens; needs the tables above)
from executions.models.audit import AuditEntry
from executions.models.groups import Requirement, Task, TaskGroup
from executions.models.limits import Resource, TaskType, Team
from executions.models.runs import (
    Attempt,
    AttemptOutput,
    Command,
    CommandVerb,
    Demand,
    DispatcherProcess,
    Execution,
    Leadership,
    TaskRun,
    WorkerProcess,
)
from executions.models.secrets import Secret
from executions.models.tokens import TokenScope

__all__ = [
    "Attempt",
    "AttemptOutput",
    "AuditEntry",
    "Command",
    "CommandVerb",
    "Demand",
    "DispatcherProcess",
    "Execution",
    "Leadership",
    "Requirement",
    "Resource",
    "Secret",
    "Task",
    "TaskGroup",
    "TaskRun",
    "TaskType",
    "Team",
    "TokenScope",
    "WorkerProcess",
]
