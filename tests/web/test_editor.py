"""The editor and the upload: everything wrong is named at its place, and nothing is half saved."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st

from executions import services, specs
from executions.models import TaskGroup
from executions.pages import forms
from executions.pages.changes import changes

GOOD = {
    "name": "made-by-form",
    "max_concurrency": "3",
    "failure_strategy": "retry_failed",
    "tasks-0-id": "build",
    "tasks-0-runner": "shell",
    "tasks-0-payload": "make all",
    "tasks-0-team": "dev_team",
    "tasks-4-id": "check",
    "tasks-4-runner": "sleep",
    "tasks-4-payload": "2",
    "tasks-4-depends_on": "build",
    "tasks-4-required_resources": "staging-db!",
    "tasks-9-runner": "noop",
}


@pytest.fixture
def defines_shell(author):
    from django.contrib.auth.models import Permission

    author.user.user_permissions.add(Permission.objects.get(codename="define_dangerous"))
    return author


def test_a_form_with_rows_makes_a_group(defines_shell):
    answer = defines_shell.post("/groups/new/", GOOD)
    group = TaskGroup.objects.get(name="made-by-form")
    assert answer.headers["Location"] == f"/groups/{group.pk}/"
    spec = services.spec_of(group)
    assert [task.id for task in spec.tasks] == ["build", "check"]
    assert spec.tasks[0].payload == {"command": "make all"}
    assert spec.tasks[1].depends_on == ["build"]
    assert spec.tasks[1].required_resources[0].exclusive
    assert spec.max_concurrency == 3


def test_saving_what_the_editor_shows_changes_nothing(defines_shell):
    defines_shell.post("/groups/new/", GOOD)
    group = TaskGroup.objects.get()
    before = services.spec_of(group)
    values = forms.group_values(before)
    for index, row in enumerate(forms.rows_of(before)):
        values |= {f"tasks-{index}-{name}": value for name, value in row.items()}
    answer = defines_shell.post(f"/groups/{group.pk}/edit/", values)
    assert answer.status_code == 302
    assert services.spec_of(TaskGroup.objects.get()) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": ""}, "name"),
        ({"max_concurrency": "many"}, "max_concurrency"),
        ({"tasks-4-id": "build"}, "tasks[1].id"),
        ({"tasks-4-depends_on": "nothing"}, "tasks[1].depends_on[0]"),
        ({"tasks-0-depends_on": "check"}, "build"),
        ({"tasks-0-team": "nobody"}, "tasks[0].team"),
        ({"tasks-0-priority": "101"}, "tasks[0].priority"),
        ({"tasks-0-payload": '{"command": '}, "tasks[0].payload"),
        ({"tasks-4-required_resources": "staging-db:9"}, "tasks[1].required_resources[0]"),
    ],
)
def test_a_fault_is_named_at_its_place_and_nothing_is_saved(defines_shell, change, told):
    answer = defines_shell.post("/groups/new/", {**GOOD, **change})
    assert answer.status_code == 400
    text = answer.content.decode()
    assert told in text
    assert "make all" in text or "payload" in told, "what was typed is kept"
    assert not TaskGroup.objects.exists()


def test_an_author_without_leave_defines_no_command(author):
    assert author.post("/groups/new/", GOOD).status_code == 403
    assert not TaskGroup.objects.exists()


def test_an_operator_edits_nothing(operator, group):
    for address in ("/groups/new/", "/groups/upload/", f"/groups/{group.pk}/edit/"):
        assert operator.get(address).status_code == 403
        assert operator.post(address, GOOD).status_code == 403


def test_an_upload_shows_what_it_would_change_then_saves_it(author, group):
    text = "name: nightly\ntasks:\n- {id: build, priority: 80}\n- {id: deploy}\n"
    file = SimpleUploadedFile("n.yaml", text.encode())
    shown = author.post("/groups/upload/", {"file": file})
    page = shown.content.decode()
    assert "What would change of nightly" in page
    assert [(c.kind, c.place) for c in shown.context["changes"]] == [
        ("changed", "build: priority"),
        ("changed", "build: team"),
        ("added", "deploy"),
        ("removed", "test"),
    ]
    assert [t.id for t in services.spec_of(group).tasks] == ["build", "test"]
    author.post("/groups/upload/", {"text": text, "confirmed": "1"})
    assert [t.id for t in services.spec_of(group).tasks] == ["build", "deploy"]


def test_a_broken_upload_saves_nothing_and_says_where(author, group):
    answer = author.post("/groups/upload/", {"text": "name: x\ntasks: [", "confirmed": "1"})
    assert answer.status_code == 400
    answer = author.post("/groups/upload/", {"text": "name: x\ntasks:\n- {id: a, depends_on: [b]}"})
    assert "tasks[0].depends_on[0]" in answer.content.decode()
    assert TaskGroup.objects.count() == 1


def test_the_sample_is_a_good_spec(author):
    page = author.get("/groups/upload/?sample=1")
    author.post("/groups/upload/", {"text": page.context["text"], "confirmed": "1"})
    assert TaskGroup.objects.get().tasks.count() == 7


def test_an_export_uploads_to_the_same_group(author, group):
    text = author.get(f"/groups/{group.pk}/spec.yaml").content.decode()
    assert specs.parse(text) == services.spec_of(group)


@given(st.text(max_size=30), st.sampled_from(["shell", "sleep", "noop", "http", "external"]))
def test_any_payload_text_is_read_without_a_crash(text, runner):
    payload = forms.payload_of(runner, text)
    if isinstance(payload, dict):
        assert forms.payload_of(runner, forms.payload_text(runner, payload)) == payload


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=8))
def test_any_form_is_read_without_a_crash(post):
    data = forms.group_data(post)
    assert isinstance(data["tasks"], list)


def test_no_difference_is_no_change():
    one = specs.parse("name: x\ntasks: [{id: a}]")
    assert changes(one, one) == []
