"""The addresses under `/api/`."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from executions.api import audit, documents, executions, groups, limits, secrets, tokens, work

ONE = "executions/<str:public_id>/"

v1 = [
    path("task-groups/", groups.group_collection, name="api-groups"),
    path("task-groups/<str:key>/", groups.group_detail, name="api-group"),
    path("task-groups/<str:key>/plan/", groups.group_plan_view, name="api-plan"),
    path("executions/", executions.execution_collection, name="api-executions"),
    path(ONE, executions.execution_detail, name="api-execution"),
    path(f"{ONE}task-runs/", executions.execution_task_runs, name="api-task-runs"),
    path(f"{ONE}task-runs/<str:task_id>/output/", executions.task_run_output, name="api-output"),
    path(
        f"{ONE}task-runs/<str:task_id>/force-close/",
        executions.attempt_force_close,
        name="api-force-close",
    ),
    path(f"{ONE}timeline/", executions.execution_timeline_view, name="api-timeline"),
    path(f"{ONE}report/", executions.execution_report_view, name="api-report"),
    path(f"{ONE}cancel/", executions.execution_cancel, name="api-cancel"),
    path(f"{ONE}pause/", executions.execution_pause, name="api-pause"),
    path(f"{ONE}resume/", executions.execution_resume, name="api-resume"),
    path(f"{ONE}retry-failed/", executions.execution_retry_failed, name="api-retry-failed"),
    path(f"{ONE}forecast/", executions.execution_forecast_view, name="api-forecast"),
    path(f"{ONE}what-if/", executions.execution_what_if_view, name="api-what-if"),
    path("teams/", limits.team_collection, name="api-teams"),
    path("teams/<str:name>/", limits.team_detail, name="api-team"),
    path("task-types/", limits.task_type_collection, name="api-task-types"),
    path("task-types/<str:name>/", limits.task_type_detail, name="api-task-type"),
    path("resources/", limits.resource_collection, name="api-resources"),
    path("resources/<str:name>/", limits.resource_detail, name="api-resource"),
    path("work/claim/", work.work_claim, name="api-work-claim"),
    path("work/<str:token>/heartbeat/", work.work_heartbeat, name="api-work-heartbeat"),
    path("work/<str:token>/complete/", work.work_complete, name="api-work-complete"),
    path("work/<str:token>/fail/", work.work_fail, name="api-work-fail"),
    path("work/<str:token>/hand-back/", work.work_hand_back, name="api-work-hand-back"),
    path("secrets/", secrets.secret_collection, name="api-secrets"),
    path("secrets/<str:name>/", secrets.secret_detail, name="api-secret"),
    path("audit/", audit.audit_collection, name="api-audit"),
    path("tokens/", tokens.token_make, name="api-token"),
    path("tokens/end/", tokens.token_end, name="api-token-end"),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("schema/task-group.json", documents.task_group_schema, name="api-spec-schema"),
]

urlpatterns = [
    path("v1/", include(v1)),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
]
