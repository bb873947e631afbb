"""Secrets: a value goes in and never comes out; who may use them; what is refused, and where."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from executions import services, specs
from executions.models import Secret
from executions.models.secrets import secret_values
from tests.web.conftest import AUTHOR, person

pytestmark = pytest.mark.django_db
ADD = "admin:executions_secret_add"


@pytest.fixture
def chief(client, site):
    client.force_login(get_user_model().objects.create_superuser("chief"))
    return client


def made(chief, name="TOKEN", value="first-value-1"):
    return chief.post(reverse(ADD), {"name": name, "description": "", "value": value})


def test_a_value_goes_in_and_no_page_shows_it(chief):
    assert made(chief).status_code == 302
    secret = Secret.objects.get()
    assert secret_values(["TOKEN"]) == {"TOKEN": "first-value-1"}
    assert "first-value" not in secret.sealed
    change = reverse("admin:executions_secret_change", args=[secret.pk])
    history = reverse("admin:executions_secret_history", args=[secret.pk])
    for page in (change, history, reverse("admin:executions_secret_changelist")):
        text = chief.get(page).content.decode()
        assert "first-value" not in text
        assert secret.sealed not in text


def test_an_empty_value_keeps_the_present_one_and_a_new_one_replaces_it(chief):
    made(chief)
    secret = Secret.objects.get()
    change = reverse("admin:executions_secret_change", args=[secret.pk])
    chief.post(change, {"description": "of the shop", "value": ""})
    assert secret_values(["TOKEN"]) == {"TOKEN": "first-value-1"}
    chief.post(change, {"description": "of the shop", "value": "second-value-2"})
    assert secret_values(["TOKEN"]) == {"TOKEN": "second-value-2"}
    assert Secret.objects.get().name == "TOKEN"
    assert Secret.objects.get().history.count() == 3


@pytest.mark.parametrize("value", ["", "short"])
def test_no_value_or_one_too_short_to_mask_is_refused(chief, value):
    assert made(chief, value=value).status_code == 200
    assert not Secret.objects.exists()


def test_an_older_key_still_opens_what_it_sealed(chief, settings):
    made(chief)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the key that comes after the first one"
    assert secret_values(["TOKEN"]) == {"TOKEN": "first-value-1"}


def spec(**payloads):
    """A task for each payload, the second after the first, the third after the second."""
    ids = list(payloads)
    tasks = [
        {
            "id": name,
            "runner": "http",
            "payload": {"url": "https://host.example/", **payload},
            "depends_on": ids[n - 1 : n] if n else [],
        }
        for n, (name, payload) in enumerate(payloads.items())
    ]
    return specs.parse_data({"name": "some", "tasks": tasks})


def faults_of(found, **more):
    with pytest.raises(specs.SpecInvalidError) as caught:
        services.spec_check(found, **more)
    return {(fault.place, fault.message) for fault in caught.value.faults}


def test_what_will_not_be_there_is_refused_with_its_place(site):
    found = spec(
        A={"headers": {"X-Token": "${secret:NONE}"}},
        B={"body": {"list": ["v${tasks.C.result.version}", "${tasks.A.result}"]}},
        C={"body": "${tasks.A.result.x} ${tasks.B.result} ${tasks.C.result} ${tasks.Z.result}"},
    )
    leads = "depends_on does not lead to"
    assert faults_of(found) == {
        ("tasks[0].payload.headers.X-Token", "no secret 'NONE'"),
        ("tasks[1].payload.body.list[0]", f"${{tasks.C.result.version}}: {leads} 'C'"),
        ("tasks[2].payload.body", f"${{tasks.C.result}}: {leads} 'C'"),
        ("tasks[2].payload.body", f"${{tasks.Z.result}}: {leads} 'Z'"),
    }


def test_a_retry_may_refer_to_what_completed_before(site):
    services.spec_check(spec(B={"body": "${tasks.A.result}"}), completed={"A"})


def test_who_may_not_use_secrets_may_not_define_such_a_task(chief):
    made(chief)
    found = spec(A={"headers": {"X-Token": "${secret:TOKEN}"}})
    author = person("author", *AUTHOR).user
    with pytest.raises(PermissionDenied, match=r"use secrets \(A\)"):
        services.group_save(spec=found, user=author)
    with pytest.raises(PermissionDenied):
        services.execution_submit(spec=found, user=author)
    author.user_permissions.add(Permission.objects.get(codename="use_secrets"))
    trusted = get_user_model().objects.get(pk=author.pk)
    assert services.group_save(spec=found, user=trusted).pk


def test_external_work_is_shown_to_people_and_cannot_use_them(chief):
    made(chief)
    task = {"id": "A", "runner": "external", "payload": {"instructions": "${secret:TOKEN}"}}
    found = specs.parse_data({"name": "some", "tasks": [task]})
    assert {place for place, _ in faults_of(found)} == {"tasks[0].runner"}
