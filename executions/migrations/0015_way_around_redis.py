"""Where Redis does not carry, ends of attempts and stops go through the database."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("executions", "0014_hand_back")]
    operations = [
        migrations.AddField(
            "attempt",
            "stop_asked_at",
            models.DateTimeField(null=True, help_text="When its worker was to stop it."),
        ),
        migrations.AddField(
            "attempt",
            "told",
            models.JSONField(
                null=True, help_text="Its end, told here because Redis was not heard."
            ),
        ),
        migrations.AddIndex(
            "attempt",
            models.Index(
                fields=("worker",),
                name="attempt_told",
                condition=models.Q(released_at=None, told__isnull=False),
            ),
        ),
    ]
