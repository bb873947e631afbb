"""The roles: viewer sees, operator runs, author edits, runner admin defines code, administrator all."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

SEEN = ("execution", "taskrun", "attempt", "attemptoutput", "command", "workerprocess",
        "taskgroup", "task", "requirement", "team", "tasktype", "resource")  # fmt: skip
VIEWER = [f"view_{name}" for name in SEEN]
OPERATOR = [*VIEWER, "add_execution", "change_execution"]
AUTHOR = [
    *OPERATOR,
    *(f"{verb}_{name}" for verb in ("add", "change", "delete")
      for name in ("taskgroup", "task", "requirement")),
]  # fmt: skip
RUNNER_ADMIN = [*AUTHOR, "define_dangerous"]
ADMINISTRATOR = [
    *RUNNER_ADMIN,
    "force_close",
    *(f"{verb}_{name}" for verb in ("add", "change", "delete")
      for name in ("team", "tasktype", "resource")),
]  # fmt: skip
USERS = [f"{verb}_{name}" for verb in ("add", "change", "view") for name in ("user", "group")]
ROLES = {
    "viewer": VIEWER,
    "operator": OPERATOR,
    "author": AUTHOR,
    "runner admin": RUNNER_ADMIN,
    "administrator": [*ADMINISTRATOR, *USERS],
}


def make(apps, _schema_editor):
    from django.apps import apps as current

    for label in ("auth", "executions"):  # a fresh database has no permissions before the end
        create_permissions(current.get_app_config(label), verbosity=0)
    group = apps.get_model("auth", "Group")
    permission = apps.get_model("auth", "Permission")
    for name, codenames in ROLES.items():
        role, _ = group.objects.get_or_create(name=name)
        found = permission.objects.filter(
            codename__in=codenames, content_type__app_label__in=("auth", "executions")
        )
        role.permissions.add(*found)


class Migration(migrations.Migration):
    dependencies = [
        ("executions", "0002_shipped_limits"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
