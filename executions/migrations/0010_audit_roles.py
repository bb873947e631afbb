"""Administrators read the audit."""

from django.contrib.auth.management import create_permissions
from django.db import migrations


def make(apps, _schema_editor):
    from django.apps import apps as current

    create_permissions(current.get_app_config("executions"), verbosity=0)
    found = apps.get_model("auth", "Permission").objects.filter(
        codename="view_auditentry", content_type__app_label="executions"
    )
    for role in apps.get_model("auth", "Group").objects.filter(name="administrator"):
        role.permissions.add(*found)


class Migration(migrations.Migration):
    dependencies = [("executions", "0009_audit")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
