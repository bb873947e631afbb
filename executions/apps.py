"""Django's entry to the application."""

from django.apps import AppConfig


class ExecutionsConfig(AppConfig):
    """Task groups and their executions."""

    name = "executions"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Parallel executions"
