"""Shipped limits have a first version, so that their first change tells what was before."""

from django.db import migrations
from django.utils import timezone

FIELDS = {"Team": "max_parallel", "TaskType": "max_parallel", "Resource": "capacity"}


def remember(apps, _schema_editor):
    for name, field in FIELDS.items():
        versions = apps.get_model("executions", f"Historical{name}")
        limits = apps.get_model("executions", name).objects
        for limit in limits.exclude(pk__in=versions.objects.values("id")):
            versions.objects.create(
                id=limit.pk,
                name=limit.name,
                description=limit.description,
                history_date=timezone.now(),
                history_type="+",
                history_change_reason="as shipped",
                **{field: getattr(limit, field)},
            )


class Migration(migrations.Migration):
    dependencies = [("executions", "0016_ended_by_others")]
    operations = [migrations.RunPython(remember, migrations.RunPython.noop)]
