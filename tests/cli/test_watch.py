"""A run followed on a terminal, and Ctrl-C in the middle of it."""

import pytest
from rich.console import Console

from executions import services, specs
from executions.management import watch
from executions.models import Command, Execution
from tests.api.records import SAMPLE

pytestmark = pytest.mark.django_db


@pytest.fixture
def execution():
    return services.execution_submit(user=None, spec=specs.parse_data(SAMPLE))


@pytest.fixture
def pressed(monkeypatch, execution):
    """Presses Ctrl-C after each look at the run, which then is in the next of these states."""

    def press(*states):
        left = list(states)

        def sleep(_seconds):
            Execution.objects.filter(pk=execution.pk).update(state=left.pop(0))
            raise KeyboardInterrupt

        monkeypatch.setattr(watch.time, "sleep", sleep)

    return press


def followed(execution):
    console = Console(record=True, width=200)
    try:
        watch.follow(execution, console, user=None)
    finally:
        told = console.export_text()
    return told


def test_an_interrupt_in_the_moment_of_the_end_asks_for_nothing(execution, pressed):
    pressed("completed")
    told = followed(execution)
    assert execution.state == "completed"
    assert "cancelling" not in told
    assert not Command.objects.filter(verb="cancel").exists()


def test_a_second_interrupt_leaves_the_run_to_the_site_and_says_so(execution, pressed, capsys):
    pressed("running", "running")
    with pytest.raises(KeyboardInterrupt):
        followed(execution)
    told = capsys.readouterr().out
    assert "cancelling, Ctrl-C again leaves it to that" in told
    assert f"left: `pexec report {execution.public_id}` tells how it ended" in told
    assert Command.objects.filter(verb="cancel").count() == 1
