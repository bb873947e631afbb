"""What a run waited for is summed up in mid-run, too: up to when."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("executions", "0017_limits_as_shipped")]
    operations = [
        migrations.AddField(
            "execution",
            "summed_at",
            models.DateTimeField(
                null=True, blank=True, help_text="Up to when those two are summed up."
            ),
        ),
    ]
