"""The limits a new site begins with."""

from django.db import migrations

TEAMS = {"pm_team": 3, "dev_team": 10, "design_team": 2}
TASK_TYPES = {"api_calls": 5, "heavy_computation": 2, "light_tasks": 20}


def ship(apps, _schema_editor):
    for model, limits in (("Team", TEAMS), ("TaskType", TASK_TYPES)):
        table = apps.get_model("executions", model)
        for name, max_parallel in limits.items():
            table.objects.get_or_create(name=name, defaults={"max_parallel": max_parallel})


class Migration(migrations.Migration):
    dependencies = [("executions", "0001_initial")]
    operations = [migrations.RunPython(ship, migrations.RunPython.noop)]
