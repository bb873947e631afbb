"""Dispatchers give signs of life, whether they lead or stand by; who sees workers sees them."""

from django.contrib.auth.management import create_permissions
from django.db import migrations, models


def show(apps, _schema_editor):
    from django.apps import apps as current

    create_permissions(current.get_app_config("executions"), verbosity=0)
    permissions = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="executions"
    )
    view = permissions.get(codename="view_dispatcherprocess")
    roles = apps.get_model("auth", "Group").objects
    for role in roles.filter(permissions__codename="view_workerprocess").distinct():
        role.permissions.add(view)


class Migration(migrations.Migration):
    dependencies = [("executions", "0018_sums_in_mid_run")]
    operations = [
        migrations.CreateModel(
            name="DispatcherProcess",
            fields=[
                ("holder", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("host", models.CharField(max_length=255)),
                ("pid", models.PositiveIntegerField()),
                ("started_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
            ],
            options={"verbose_name_plural": "dispatcher processes"},
        ),
        migrations.RunPython(show, migrations.RunPython.noop),
    ]
