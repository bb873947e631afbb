"""What guards the site as a whole: headers, sign-in, the settings of a public site."""

import os
import secrets
import subprocess
import sys

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import override_settings

from executions.api.permissions import address_of

pytestmark = pytest.mark.django_db
SIGN_INS = ("/login/", "/admin/login/")


def test_every_answer_forbids_inline_code_framing_and_other_hosts(viewer):
    headers = viewer.get("/").headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
    )
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["object-src"] == policy["frame-ancestors"] == "'none'"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("address", SIGN_INS)
def test_guessing_a_password_is_stopped_even_with_the_right_one(client, address):
    get_user_model().objects.create_superuser("chief", password="the right one")
    tries = [
        client.post(address, {"username": "chief", "password": f"guess {n}"}).status_code
        for n in range(settings.AXES_FAILURE_LIMIT)
    ]
    assert tries == [200] * (settings.AXES_FAILURE_LIMIT - 1) + [429]
    answer = client.post(address, {"username": "chief", "password": "the right one"})
    assert answer.status_code == 429
    assert "_auth_user_id" not in client.session


def test_guessing_over_rest_is_stopped_too(client):
    get_user_model().objects.create_user("chief", password="the right one")
    for n in range(settings.AXES_FAILURE_LIMIT):
        client.post("/api/v1/tokens/", {"username": "chief", "password": f"guess {n}"},
                    content_type="application/json")  # fmt: skip
    answer = client.post("/api/v1/tokens/", {"username": "chief", "password": "the right one"},
                         content_type="application/json")  # fmt: skip
    assert answer.status_code in (400, 401, 403, 429)
    assert "token" not in answer.json()


def forwarded_for(n):
    return {"X-Forwarded-For": f"203.0.113.{n}"}


@pytest.mark.parametrize("address", SIGN_INS)
def test_who_says_to_come_from_elsewhere_guesses_no_more_often(client, address):
    for n in range(settings.AXES_FAILURE_LIMIT):
        client.post(address, {"username": "x", "password": f"guess {n}"}, headers=forwarded_for(n))
    answer = client.post(address, {"username": "x", "password": "y"}, headers=forwarded_for(99))
    assert answer.status_code == 429


def test_nor_asks_rest_for_tokens_more_often(client):
    cache.clear()
    asked = [
        client.post("/api/v1/tokens/", {}, "application/json", headers=forwarded_for(n)).status_code
        for n in range(31)
    ]
    assert asked == [400] * 30 + [429]
    cache.clear()


def test_behind_a_proxy_of_ours_each_address_counts_by_itself(client):
    request = client.get(
        "/login/", headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.7"}
    ).wsgi_request
    assert address_of(request) == "127.0.0.1"
    with override_settings(REST_FRAMEWORK={**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}):
        assert address_of(request) == "203.0.113.7"


@pytest.mark.parametrize("address", ["/", "/executions/", "//evil.example/"])
def test_signing_in_leads_back_only_to_this_site(client, address):
    get_user_model().objects.create_user("somebody", password="the right one")
    answer = client.post(
        f"/login/?next={address}", {"username": "somebody", "password": "the right one"}
    )
    assert answer.headers["Location"] == (address if "evil" not in address else "/")


def test_another_host_name_is_refused(client):
    assert client.get("/login/", HTTP_HOST="evil.example").status_code == 400


def test_a_post_without_the_pages_token_is_refused(viewer):
    viewer.handler.enforce_csrf_checks = True
    assert viewer.post("/logout/").status_code == 403


def test_the_settings_of_a_public_site_pass_djangos_own_check(tmp_path):
    environment = {
        **os.environ,
        "PEXEC_VAR": str(tmp_path),
        "HTTPS": "1",
        "SECRET_KEY": secrets.token_urlsafe(50),
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
