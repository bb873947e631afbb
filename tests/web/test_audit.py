"""Who did what: written wherever it is done, kept when the thing is gone, changed by nobody."""

import csv
import io

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection
from django.db.transaction import atomic
from django.urls import reverse

from executions import services, specs
from executions.models import Attempt, AuditEntry, Execution, Secret, TaskGroup, Team
from executions.models.audit import AuditKeptError
from tests.web.conftest import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def chief(client, site):
    client.force_login(get_user_model().objects.create_superuser("chief"))
    client.told_before = AuditEntry.objects.count()
    client.user = get_user_model().objects.get(username="chief")
    return client


def deeds(chief):
    """What was done since the site itself was set up."""
    found = AuditEntry.objects.order_by("id")[chief.told_before :]
    return [(e.by, e.verb, e.target) for e in found]


def a_run(user):
    task = {"id": "A", "runner": "noop"}
    spec = specs.parse_data({"name": "nightly", "tasks": [task]})
    return services.execution_submit(user=user, group=services.group_save(spec=spec, user=user))


def test_defining_running_and_stopping_are_told(chief):
    user = chief.user
    run = a_run(user)
    services.execution_pause(execution=run, user=user)
    services.execution_cancel(execution=run, user=user)
    name = run.public_id
    told = deeds(chief)
    assert ("chief", "run", name) in told
    assert told[-2:] == [("chief", "pause", name), ("chief", "cancel", name)]
    assert told[0][1:] == ("add", "task group nightly")


def test_a_forced_end_names_the_task_and_the_reason(chief):
    run = a_run(chief.user)
    task_run = run.task_runs.get()
    attempt = Attempt.objects.create(
        task_run=task_run, execution=run, number=1, token="t", state="running",
        dispatched_at=task_run.since,
    )  # fmt: skip
    services.attempt_force_close(attempt=attempt, user=chief.user, reason="host burnt down")
    entry = AuditEntry.objects.first()
    assert (entry.verb, entry.target) == ("force_close", f"{run.public_id}/A")
    assert entry.details == {"attempt": 1, "reason": "host burnt down"}


def test_limits_tell_what_was_and_what_is_from_page_and_admin_alike(chief, redis_server):
    team = Team.objects.get(name="dev_team")
    services.limit_change(limit=team, value=4, user=chief.user, reason="two are ill")
    entry = AuditEntry.objects.first()
    assert (entry.by, entry.verb, entry.target) == ("chief", "change", "team dev_team")
    assert entry.details == {"why": "two are ill", "max_parallel": [10, 4]}
    change = reverse("admin:executions_team_change", args=[team.pk])
    chief.post(change, {"max_parallel": 5, "description": "", "members": []})
    assert AuditEntry.objects.first().details["max_parallel"] == [4, 5]
    assert AuditEntry.objects.first().by == "chief"


def test_a_secret_tells_that_it_was_changed_and_nothing_of_its_value(chief):
    add = reverse("admin:executions_secret_add")
    chief.post(add, {"name": "TOKEN", "description": "", "value": "first-value-1"})
    secret = Secret.objects.get()
    change = reverse("admin:executions_secret_change", args=[secret.pk])
    chief.post(change, {"description": "", "value": "second-value-2"})
    assert deeds(chief) == [("chief", "add", "secret TOKEN"), ("chief", "change", "secret TOKEN")]
    assert "value" not in str(list(AuditEntry.objects.values_list("details")))


def test_entries_outlive_what_they_tell_of_and_are_changed_by_nobody(chief):
    run = a_run(chief.user)
    before = len(deeds(chief))
    Execution.objects.all().delete()
    TaskGroup.objects.all().delete()
    assert len(deeds(chief)) == before + 1  # and that the group was deleted
    assert ("chief", "run", run.public_id) in deeds(chief)
    entry = AuditEntry.objects.first()
    with pytest.raises(AuditKeptError):
        entry.save()
    with pytest.raises(AuditKeptError):
        entry.delete()
    with pytest.raises(AuditKeptError):
        AuditEntry.objects.filter(pk=entry.pk).update(by="")
    with pytest.raises(AuditKeptError):
        AuditEntry.objects.filter(pk=entry.pk).delete()
    admin = reverse("admin:executions_auditentry_delete", args=[entry.pk])
    assert chief.post(admin, {"post": "yes"}).status_code == 403


def test_the_database_refuses_what_goes_around_the_model(chief, audit_triggers):
    run = a_run(chief.user)
    before = list(AuditEntry.objects.values_list())
    with connection.cursor() as cursor:
        for statement in audit_triggers[0]:
            cursor.execute(statement)
        for attack in (
            "DELETE FROM executions_auditentry",
            "UPDATE executions_auditentry SET by=''",
        ):
            with pytest.raises(DatabaseError, match="never changed or removed"), atomic():
                cursor.execute(attack)
    with pytest.raises(DatabaseError, match="never changed or removed"), atomic():
        AuditEntry.objects.all()._raw_delete("default")
    assert list(AuditEntry.objects.values_list()) == before
    services.execution_cancel(execution=run, user=chief.user)
    assert deeds(chief)[-1] == ("chief", "cancel", run.public_id)


def test_the_page_finds_and_the_table_is_safe_in_a_spreadsheet(chief):
    spec = specs.parse_data({"name": "=1+1", "tasks": [{"id": "A", "runner": "noop"}]})
    services.group_save(spec=spec, user=chief.user)
    a_run(chief.user)
    text = chief.get("/audit/?q=nightly").content.decode()
    assert "task group nightly" in text
    assert "=1+1" not in text
    answer = chief.get("/api/v1/audit/?format=csv&verb=add&q=task+group")
    rows = list(csv.reader(io.StringIO(answer.content.decode())))
    assert rows[0] == ["at", "by", "verb", "target", "details"]
    assert {row[3] for row in rows[1:]} == {"task group =1+1", "task group nightly"}
    assert chief.get("/api/v1/audit/?until=2001-01-01").json()["count"] == 0


def test_who_is_no_administrator_reads_none_of_it(site):
    assert person("somebody", "view_execution").get("/audit/").status_code == 403
