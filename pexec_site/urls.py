"""Every route."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from executions import health

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include("executions.api.urls")),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("", include("executions.pages.urls")),
]

handler400 = health.bad_request
handler404 = health.not_found
handler500 = health.server_error
