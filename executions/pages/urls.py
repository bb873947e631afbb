"""The addresses of the pages."""

from __future__ import annotations

from django.contrib.auth import views as auth_views
from django.urls import path

from executions.pages import audit, dashboard, executions, groups, limits, plans, uploads, work

urlpatterns = [
    path("login/", auth_views.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("", dashboard.dashboard, name="dashboard"),
    path("dashboard/<str:name>/", dashboard.dashboard_part, name="dashboard-part"),
    path("limits/", limits.limit_list, name="limit-list"),
    path("limits/upload/", uploads.limit_upload, name="limit-upload"),
    path("limits/limits.<str:form>", uploads.limit_export, name="limit-export"),
    path("limits/<str:kind>/<str:name>/", limits.limit_change, name="limit-change"),
    path("audit/", audit.audit_list, name="audit-list"),
    path("work/", work.work_list, name="work-list"),
    path("work/<int:pk>/<str:verb>/", work.work_verb, name="work-verb"),
    path("executions/", executions.execution_list, name="execution-list"),
    path("executions/<str:public_id>/", executions.execution_page, name="execution"),
    path("executions/<str:public_id>/graph.json", executions.execution_graph, name="graph"),
    path(
        "executions/<str:public_id>/tasks/<str:task_id>/", executions.task_panel, name="task-panel"
    ),
    path(
        "executions/<str:public_id>/tasks/<str:task_id>/output/<int:number>/",
        executions.task_output,
        name="task-output",
    ),
    path(
        "executions/<str:public_id>/tasks/<str:task_id>/force-close/<int:number>/",
        executions.attempt_force_close,
        name="force-close",
    ),
    path(
        "executions/<str:public_id>/report/", executions.execution_report, name="execution-report"
    ),
    path(
        "executions/<str:public_id>/report/<str:form>/",
        executions.execution_export,
        name="execution-export",
    ),
    path(
        "executions/<str:public_id>/<str:verb>/", executions.execution_verb, name="execution-verb"
    ),
    path("groups/", groups.group_list, name="group-list"),
    path("groups/new/", groups.group_new, name="group-new"),
    path("groups/upload/", uploads.group_upload, name="group-upload"),
    path("groups/<int:pk>/", groups.group_page, name="group"),
    path("groups/<int:pk>/edit/", groups.group_edit, name="group-edit"),
    path("groups/<int:pk>/plan/", plans.group_plan_page, name="group-plan"),
    path("groups/<int:pk>/run-with/", plans.group_run_with, name="group-run-with"),
    path("groups/<int:pk>/run/", groups.group_run, name="group-run"),
    path("groups/<int:pk>/delete/", groups.group_delete, name="group-delete"),
    path("groups/<int:pk>/spec.<str:form>", groups.group_export, name="group-export"),
]
