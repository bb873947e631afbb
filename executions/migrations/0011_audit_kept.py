"""The database itself refuses to change or remove an entry of the audit."""

from django.db import migrations

TABLE = "executions_auditentry"
SAID = "entries of the audit are never changed or removed"
KEEP = {
    "sqlite": [
        f"CREATE TRIGGER pexec_audit_kept_{act} BEFORE {act} ON {TABLE} "
        f"BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
        for act in ("update", "delete")
    ],
    "postgresql": [
        "CREATE FUNCTION pexec_audit_kept() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{SAID}'; END $$",
        f"CREATE TRIGGER pexec_audit_kept BEFORE UPDATE OR DELETE ON {TABLE} "
        "FOR EACH ROW EXECUTE FUNCTION pexec_audit_kept()",
    ],
}
LET_GO = {
    "sqlite": [f"DROP TRIGGER pexec_audit_kept_{act}" for act in ("update", "delete")],
    "postgresql": [
        f"DROP TRIGGER pexec_audit_kept ON {TABLE}",
        "DROP FUNCTION pexec_audit_kept()",
    ],
}
"""A migration that changes the table lets go before and keeps after: SQLite drops these with it."""


def keep(_apps, schema_editor):
    for statement in KEEP[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def let_go(_apps, schema_editor):
    for statement in LET_GO[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("executions", "0010_audit_roles")]
    operations = [migrations.RunPython(keep, let_go)]
