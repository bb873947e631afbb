"""Who may use secrets in tasks, and who gives them values."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

GIVEN = {
    "runner admin": ("use_secrets",),
    "administrator": ("use_secrets", *(f"{v}_secret" for v in ("add", "change", "delete", "view"))),
}


def make(apps, _schema_editor):
    from django.apps import apps as current

    create_permissions(current.get_app_config("executions"), verbosity=0)
    group = apps.get_model("auth", "Group")
    permission = apps.get_model("auth", "Permission")
    for name, codenames in GIVEN.items():
        for role in group.objects.filter(name=name):
            role.permissions.add(
                *permission.objects.filter(
                    codename__in=codenames, content_type__app_label="executions"
                )
            )


class Migration(migrations.Migration):
    dependencies = [("executions", "0005_secrets")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
