"""The Celery application: workers carry lanes, and the dispatcher where told."""

from __future__ import annotations

import os

from celery import Celery

from executions.dispatch.bootstep import install

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pexec_site.settings")

app = Celery("pexec")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["executions.dispatch"], related_name="lanes")
install(app)
