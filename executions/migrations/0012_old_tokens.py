"""Tokens from before there were scopes keep going as far as their user; a new one looks only."""

from django.db import migrations


def keep_as_they_were(apps, _schema_editor):
    scope = apps.get_model("executions", "TokenScope")
    without = apps.get_model("knox", "AuthToken").objects.filter(scope=None)
    scope.objects.bulk_create(scope(token=token, scope="configure") for token in without)


class Migration(migrations.Migration):
    dependencies = [("executions", "0011_audit_kept")]
    operations = [migrations.RunPython(keep_as_they_were, migrations.RunPython.noop)]
