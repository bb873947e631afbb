"""The verbs: all writes that people cause, whether by pages, REST or the command line."""

from executions.services.admission import (
    IdempotencyConflictError,
    execution_submit,
)
from executions.services.control import (
    NotAllowedNowError,
    attempt_force_close,
    execution_cancel,
    execution_pause,
    execution_resume,
)
from executions.services.groups import (
    group_delete,
    group_save,
    groups_definable,
    groups_save,
    spec_check,
    spec_exported,
    spec_of,
    spec_surroundings,
)
from executions.services.limits import (
    LimitChange,
    limit_change,
    limits_all,
    limits_changes,
    limits_file,
    limits_import,
)
from executions.services.retention import (
    Keep,
    executions_expired,
    executions_prune,
)
from executions.services.retention import (
    configured as retention_configured,
)
from executions.services.retries import (
    NotAmongTheRestError,
    NothingToRetryError,
    execution_retry_failed,
)
from executions.services.secrets import (
    SECRET_CHARACTERS,
    SECRET_CHARACTERS_MOST,
    SecretExistsError,
    secret_delete,
    secret_make,
    secret_replace,
)
from executions.services.tokens import Scope, token_make
from executions.services.work import (
    WorkTakenError,
    work_claim,
    work_complete,
    work_fail,
    work_hand_back,
    work_heartbeat,
    work_payload,
    work_payload_shown,
)

__all__ = [
    "SECRET_CHARACTERS",
    "SECRET_CHARACTERS_MOST",
    "IdempotencyConflictError",
    "Keep",
    "LimitChange",
    "NotAllowedNowError",
    "NotAmongTheRestError",
    "NothingToRetryError",
    "Scope",
    "SecretExistsError",
    "WorkTakenError",
    "attempt_force_close",
    "execution_cancel",
    "execution_pause",
    "execution_resume",
    "execution_retry_failed",
    "execution_submit",
    "executions_expired",
    "executions_prune",
    "group_delete",
    "group_save",
    "groups_definable",
    "groups_save",
    "limit_change",
    "limits_all",
    "limits_changes",
    "limits_file",
    "limits_import",
    "retention_configured",
    "secret_delete",
    "secret_make",
    "secret_replace",
    "spec_check",
    "spec_exported",
    "spec_of",
    "spec_surroundings",
    "token_make",
    "work_claim",
    "work_complete",
    "work_fail",
    "work_hand_back",
    "work_heartbeat",
    "work_payload",
    "work_payload_shown",
]
