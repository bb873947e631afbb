"""What an attempt printed, as a file; and where tasks stand in the graph."""

import pytest
from django.utils import timezone

from executions import services
from executions.models import Attempt, AttemptOutput, TaskGroup, Team
from executions.watching.layers import graph_layers, levels
from tests.web.conftest import spec

HOSTILE = b"<script>alert(1)</script>\xff\n"


@pytest.fixture
def attempt(execution):
    made = Attempt.objects.create(
        task_run=execution.task_runs.get(task_id="build"), execution=execution, number=1, token="t",
        state="failed", dispatched_at=timezone.now(), released_at=timezone.now(),
    )  # fmt: skip
    AttemptOutput.objects.create(
        attempt=made, head=HOSTILE, tail=b"end", total_bytes=len(HOSTILE) + 3
    )
    return made


def address(attempt, number=1):
    return f"/executions/{attempt.execution.public_id}/tasks/build/output/{number}/"


def test_output_comes_as_a_file_byte_by_byte_and_never_as_a_page(viewer, attempt):
    answer = viewer.get(address(attempt))
    assert answer.content == HOSTILE + b"end"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_file_says_where_something_was_left_out(viewer, attempt):
    AttemptOutput.objects.update(head=b"first", tail=b"last", total_bytes=109)
    answer = viewer.get(address(attempt))
    assert answer.content.decode() == "first\n… 100 bytes left out …\nlast"


def test_an_attempt_that_never_was_has_no_output(viewer, attempt):
    assert viewer.get(address(attempt, 2)).status_code == 404


def test_output_of_what_one_may_not_see_does_not_exist(viewer, stranger, attempt):
    assert stranger.get(address(attempt)).status_code == 404
    TaskGroup.objects.get().owning_teams.add(Team.objects.get(name="dev_team"))
    assert viewer.get(address(attempt)).status_code == 404


def test_output_is_only_read(author, attempt):
    assert author.post(address(attempt)).status_code == 405


def test_a_task_stands_right_of_all_it_depends_on():
    assert levels([[], [0], [0], [1, 2], []]) == [0, 1, 1, 2, 0]


def test_layers_hold_every_task_once_with_few_crossings(author, redis_server):
    tasks = [
        {"id": "a"}, {"id": "b"},
        {"id": "after-b", "depends_on": ["b"]}, {"id": "after-a", "depends_on": ["a"]},
    ]  # fmt: skip
    made = services.execution_submit(user=author.user, spec=spec("crossed", *tasks))
    first, second = graph_layers(made.pk)
    assert sorted(first + second) == [0, 1, 2, 3]
    needs = {2: 1, 3: 0}
    assert [first.index(needs[position]) for position in second] == [0, 1]
