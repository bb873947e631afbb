"""The Celery application: workers carry lanes, and the dispatcher where told."""

from __future__ import annotations

import os
from logging.config import dictConfig
from typing import Any

from celery import Celery, signals
from django.conf import settings

from executions.dispatch.bootstep import install

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pexec_site.settings")

app = Celery("pexec")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["executions.dispatch"], related_name="lanes")
install(app)


@signals.setup_logging.connect
def _log_as_told(**_: Any) -> None:
    """Keep Celery from logging in a way of its own."""
    dictConfig(settings.LOGGING)
