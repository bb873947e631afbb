"""Work for people on its page: taken by one, answered for once, seen by those whose team it is."""

import pytest
from django.urls import reverse

from executions import services, specs
from executions.models import Attempt, Command, TaskRun, Team
from tests.web.conftest import OPERATOR, VIEWER, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def offered(site):
    """A task of the team, handed out as the dispatcher does."""
    task = {
        "id": "SIGN",
        "title": "Sign the contract",
        "runner": "external",
        "team": "dev_team",
        "payload": {"instructions": "Read it first.", "pages": 12},
    }
    spec = specs.parse_data({"name": "deal", "tasks": [task]})
    services.execution_submit(user=person("boss", *OPERATOR).user, spec=spec)
    run = TaskRun.objects.get()
    return Attempt.objects.create(
        task_run=run,
        execution=run.execution,
        number=1,
        token="hidden-token",
        state="dispatched",
        dispatched_at=run.since,
    )


def of_the_team(name, *permissions):
    client = person(name, *permissions)
    Team.objects.get(name="dev_team").members.add(client.user)
    return client


@pytest.fixture
def member(site):
    return of_the_team("member", *OPERATOR)


def say(client, attempt, verb, **form):
    return client.post(reverse("work-verb", args=[attempt.pk, verb]), form)


def text_of(client, address="/work/"):
    return client.get(address).content.decode()


def verbs():
    return list(Command.objects.order_by("pk").values_list("verb", "payload"))


def test_a_member_reads_takes_and_completes(member, offered):
    before = text_of(member)
    assert "Sign the contract" in before
    assert "Read it first." in before
    assert "hidden-token" not in before
    say(member, offered, "take")
    taken = text_of(member)
    assert "Taken by you (1)" in taken
    assert "hidden-token" not in taken
    say(member, offered, "progress", percent="40", line="page 5")
    offered.refresh_from_db()
    assert (offered.claimed_by, offered.progress, offered.progress_line) == (
        member.user,
        40,
        "page 5",
    )
    say(member, offered, "complete", result='{"signed": true}')
    assert verbs() == [("claim", {}), ("complete", {"result": {"signed": True}})]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("", None),
        ("see ticket 42", "see ticket 42"),
        ("[1]", [1]),
        ("NaN", "NaN"),
        ("[" * 5000, "[" * 5000),
        ('"\\u0000"', "\ufffd"),
    ],
)
def test_a_result_is_json_where_it_is_json_and_never_lost(member, offered, written, kept):
    say(member, offered, "take")
    say(member, offered, "complete", result=written)
    assert verbs()[-1] == ("complete", {"result": kept})


def test_a_result_that_cannot_be_kept_is_refused_with_its_reason(member, offered):
    say(member, offered, "take")
    say(member, offered, "complete", result="[" * 60 + "]" * 60)
    assert "nested more than 50 deep" in text_of(member)
    assert verbs() == [("claim", {})]


def test_a_failure_needs_its_reason(member, offered):
    say(member, offered, "take")
    say(member, offered, "fail", error="  ")
    assert "Say why it failed" in text_of(member)
    say(member, offered, "fail", error="not signed")
    assert verbs() == [("claim", {}), ("fail", {"error": "not signed"})]


def test_the_second_to_take_it_is_told_that_it_is_gone(member, offered):
    other = of_the_team("other", *OPERATOR)
    say(member, offered, "take")
    say(other, offered, "take")
    assert "not yours" in text_of(other)
    say(other, offered, "complete", result="mine")
    assert verbs() == [("claim", {})]


def test_who_is_of_another_team_sees_none_of_it_and_cannot_take_it(offered, operator):
    assert "Sign the contract" not in text_of(operator)
    say(operator, offered, "take")
    offered.refresh_from_db()
    assert offered.claimed_by is None


def test_who_only_looks_gets_no_button_and_no_way_around(offered):
    viewer = of_the_team("looks", *VIEWER)
    assert "Take it" not in text_of(viewer)
    assert say(viewer, offered, "take").status_code == 403


@pytest.mark.parametrize("percent", ["101", "-1", "ten", "٣", "0000999"])
def test_progress_is_a_whole_number_of_per_cent(member, offered, percent):
    say(member, offered, "take")
    say(member, offered, "progress", percent=percent)
    assert "whole number from 0 to 100" in text_of(member)


def test_the_panel_of_the_task_offers_the_same_and_leads_back(member, offered):
    page = f"/executions/{offered.execution.public_id}/"
    panel = text_of(member, f"{page}tasks/SIGN/")
    assert "Take it" in panel
    assert "Read it first." in panel
    answer = say(member, offered, "take", next=f"{page}?task=SIGN")
    assert answer.headers["Location"] == f"{page}?task=SIGN"
    assert "Why it failed" in text_of(member, f"{page}?task=SIGN")
    assert say(member, offered, "progress", next="//evil.example/").headers["Location"] == "/work/"


def panel_of(attempt):
    return f"/executions/{attempt.execution.public_id}/tasks/SIGN/"


def test_who_took_it_hands_it_back_once_and_answers_no_more(member, offered):
    say(member, offered, "take")
    assert "Hand it back" in text_of(member)
    say(member, offered, "hand-back")
    assert "SIGN is offered again" in text_of(member)
    say(member, offered, "hand-back")
    say(member, offered, "complete", result="too late")
    assert verbs() == [("claim", {}), ("hand_back", {})]


def test_an_operator_sees_who_has_it_and_hands_back_what_others_took(member, offered, operator):
    say(member, offered, "take")
    panel = text_of(operator, panel_of(offered))
    assert "Taken by <b>member</b>" in panel
    assert "Hand it back" in panel
    say(operator, offered, "hand-back")
    assert verbs()[-1] == ("hand_back", {})
    assert Command.objects.latest("pk").by == operator.user


def test_who_left_the_team_may_still_hand_it_back_but_not_answer(member, offered):
    say(member, offered, "take")
    Team.objects.get(name="dev_team").members.clear()
    say(member, offered, "complete", result="mine")
    say(member, offered, "hand-back")
    assert verbs() == [("claim", {}), ("hand_back", {})]


def test_who_only_looks_hands_nothing_back(member, offered, viewer):
    say(member, offered, "take")
    assert "Hand it back" not in text_of(viewer, panel_of(offered))
    assert say(viewer, offered, "hand-back").status_code == 403
    other = person("other", "view_execution", "add_execution")
    say(other, offered, "hand-back")
    assert verbs() == [("claim", {})]
