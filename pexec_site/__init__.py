"""The site: settings, routes, and the Celery application."""

from pexec_site.celery import app as celery_app

__all__ = ["celery_app"]
