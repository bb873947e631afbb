"""Every page for every role: the answer is written down; a new address without one fails."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from executions.pages.urls import urlpatterns
from tests.web.conftest import person

pytestmark = pytest.mark.django_db

ROLES = ("nobody", "stranger", "viewer", "operator", "author", "runner admin", "administrator")
OPEN = (200, 302, 302, 302, 302, 302, 302)
SEE = (302, 200, 200, 200, 200, 200, 200)
SEE_ONE = (302, 404, 200, 200, 200, 200, 200)
OPERATE = (302, 404, 403, 302, 302, 302, 302)
EDIT = (302, 404, 403, 403, 302, 302, 302)

ANSWERS = {
    ("get", "login"): OPEN,
    ("post", "logout"): (302,) * 7,
    ("get", "dashboard"): SEE,
    ("get", "dashboard-part"): SEE,
    ("get", "limit-list"): SEE,
    ("get", "limit-upload"): (302, 403, 403, 403, 403, 403, 200),
    ("get", "limit-export"): (302, 403, 200, 200, 200, 200, 200),
    ("post", "limit-change"): (302, 403, 403, 403, 403, 403, 302),
    ("get", "work-list"): SEE,
    ("get", "audit-list"): (302, 403, 403, 403, 403, 403, 200),
    ("post", "work-verb"): (302, 403, 403, 302, 302, 302, 302),
    ("get", "execution-list"): SEE,
    ("get", "execution"): SEE_ONE,
    ("get", "graph"): SEE_ONE,
    ("get", "task-panel"): SEE_ONE,
    ("get", "task-output"): (302,) + (404,) * 6,  # nothing ran yet
    ("post", "force-close"): (302, 404, 403, 403, 403, 403, 404),  # nothing ran yet
    ("get", "execution-report"): SEE_ONE,
    ("get", "execution-export"): SEE_ONE,
    ("post", "execution-verb"): OPERATE,
    ("get", "group-list"): SEE,
    ("get", "group-new"): (302, 403, 403, 403, 200, 200, 200),
    ("get", "group-upload"): (302, 403, 403, 403, 200, 200, 200),
    ("get", "group"): SEE_ONE,
    ("get", "group-edit"): (302, 404, 403, 403, 200, 200, 200),
    ("get", "group-plan"): SEE_ONE,
    ("get", "group-export"): SEE_ONE,
    ("post", "group-run-with"): OPERATE,
    ("post", "group-run"): OPERATE,
    ("post", "group-delete"): EDIT,
}
LAST = ("group-delete", "logout")


def client_of(role):
    if role == "nobody":
        return Client()
    client = person(f"{role} who asks")
    if role != "stranger":
        client.user.groups.add(Group.objects.get(name=role))
    return client


def address(route, execution):
    """Of something that is there."""
    pattern = str(next(p.pattern for p in urlpatterns if p.name == route))
    form = "yaml" if route in ("group-export", "limit-export") else "csv"
    for name, value in {
        "<str:public_id>": execution.public_id,
        "<str:task_id>": "build",
        "<int:number>": "1",
        "<str:form>": form,
        "<str:verb>": "take" if route == "work-verb" else "cancel",
        "<int:pk>": str(execution.group_id),
        "<str:kind>": "team",
        "<str:name>": "whys" if route == "dashboard-part" else "dev_team",
    }.items():
        pattern = pattern.replace(name, value)
    return f"/{pattern}"


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_the_answer_written_down(role, execution):
    client = client_of(role)
    expected = {asked: codes[ROLES.index(role)] for asked, codes in ANSWERS.items()}
    found = {
        (verb, route): getattr(client, verb)(address(route, execution)).status_code
        for verb, route in sorted(
            ANSWERS, key=lambda asked: asked[1] in LAST and 1 + LAST.index(asked[1])
        )
    }
    assert found == expected


def test_every_page_has_its_answers():
    assert {pattern.name for pattern in urlpatterns} == {route for _, route in ANSWERS}
