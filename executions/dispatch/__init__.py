"""The shell around the brain: the only part that speaks Redis and Celery."""
