"""Rows written together: all of them or none, and nothing goes unnoticed."""

import contextlib

import pytest
from django.db import IntegrityError, connection, transaction

from executions.dispatch.rows import StaleRowError, Table, statements
from executions.models import Team

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def table():
    for name in ("pm_team", "dev_team", "design_team"):
        Team.objects.update_or_create(name=name, defaults={"max_parallel": 3})
    return Table(Team, ("name",))


def parallel():
    return dict(Team.objects.values_list("name", "max_parallel"))


def test_several_statements_all_take_effect(table):
    with transaction.atomic(), statements() as made:
        table.update(made, {("pm_team",): {"max_parallel": 7}})
        table.update(made, {("dev_team",): {"max_parallel": 8}, ("pm_team",): {"max_parallel": 9}})
    assert (parallel()["pm_team"], parallel()["dev_team"]) == (9, 8)


def write(table, changes):
    with transaction.atomic(), statements() as made:
        for change in changes:
            table.update(made, change)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="see test_postgres.py")
def test_what_is_written_again_and_again_is_planned_once(table):
    for n in range(8):
        write(table, [{("pm_team",): {"max_parallel": n}, ("dev_team",): {"max_parallel": n}}])
    with connection.cursor() as cursor:
        cursor.execute(
            "select generic_plans + custom_plans from pg_prepared_statements"
            " where statement like 'UPDATE%executions_team%'"
        )
        assert cursor.fetchall() == [(16,)]


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_row_that_is_not_there_undoes_all_wherever_it_stands(table, position):
    before = parallel()
    changes = [{("pm_team",): {"max_parallel": 7}}, {("dev_team",): {"max_parallel": 8}}]
    changes.insert(position, {("gone",): {"max_parallel": 1}})
    with pytest.raises(StaleRowError, match="0 of 1 rows"):
        write(table, changes)
    assert parallel() == before


def test_what_the_database_refuses_is_told_as_its_error_and_undoes_all(table):
    before = parallel()
    changes = [
        {("pm_team",): {"max_parallel": 7}},
        {("dev_team",): {"name": "pm_team"}},
        {("design_team",): {"max_parallel": 7}},
    ]
    with pytest.raises(IntegrityError):
        write(table, changes)
    assert parallel() == before


@pytest.mark.parametrize("found", [True, False])
def test_what_is_required_and_not_found_undoes_all(table, found):
    before = parallel()
    name = "pm_team" if found else "gone"
    with contextlib.suppress(LookupError), transaction.atomic(), statements() as made:
        made.require("SELECT 1 FROM executions_team WHERE name = %s", (name,), LookupError)
        table.update(made, {("pm_team",): {"max_parallel": 7}})
    assert (parallel() != before) == found
