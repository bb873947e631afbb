"""Administrators see and end tokens of others, and let in again who guessed too often."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

GIVEN = {"knox": "authtoken", "axes": "accessattempt"}


def make(apps, _schema_editor):
    from django.apps import apps as current

    for label, model in GIVEN.items():
        create_permissions(current.get_app_config(label), verbosity=0)
        found = apps.get_model("auth", "Permission").objects.filter(
            codename__in=(f"view_{model}", f"delete_{model}"), content_type__app_label=label
        )
        for role in apps.get_model("auth", "Group").objects.filter(name="administrator"):
            role.permissions.add(*found)


class Migration(migrations.Migration):
    dependencies = [
        ("executions", "0015_way_around_redis"),
        ("knox", "0009_extend_authtoken_field"),
        ("axes", "0010_accessattemptexpiration"),
    ]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
