"""Whatever others may write stands on every page as text, and within it, wide and narrow."""

import pytest
from playwright.sync_api import expect

from tests.e2e.chromium import Watched
from tests.e2e.test_pages_hold import PAGES

pytestmark = [pytest.mark.processes, pytest.mark.browser]

DOES = "window.ran=1;alert(1)"
SCRIPT = f"<img src=x onerror={DOES}><script>{DOES}</script>\"'`{{{{7*7}}}}</textarea></title>"
LONG = "W" * 500
TURNED = "\u202etxt.exe\u2066"
DRIVING = "\x1b[31mred\x1b]0;other title\x07\x1b[2J\x1b]8;;javascript:alert(1)\x07link"
LINE = f"{SCRIPT} {TURNED} {DRIVING} {LONG}"
NAME = (SCRIPT + LONG)[:200]
LONG_ID, LONG_LIMIT = "I" * 100, "R" * 64
PRINTS = ["sh", "-c", 'printf \'%s\\n::progress 50 %s\\n\' "$0" "$0"; exec sleep 900', LINE]
FAILS = ["sh", "-c", "printf '%s\\n' \"$0\" | tee /dev/stderr; exit 3", LINE]


def shell(command, **more):
    return {"title": NAME, "runner": "shell", "payload": {"command": command}, **more}


def spec(*tasks):
    resources = {LONG_LIMIT: {"capacity": 1}}
    return {"name": NAME, "description": LINE, "resources": resources, "tasks": tasks}


REFUSED = {"runner": "sleep", "payload": {"seconds": 0, "fail_with": LINE}, "title": NAME}
ASKED = {"runner": "external", "payload": {"instructions": LINE, SCRIPT: LONG}, "title": NAME}
NEEDS = {"required_resources": [{"id": LONG_LIMIT, "exclusive": True}]}
OVER = spec(
    {"id": LONG_ID, **REFUSED},
    {"id": "two", **shell(FAILS)},
    {"id": "LEFT", "depends_on": [LONG_ID], "title": NAME},
)
GOES_ON = spec(
    {"id": "two", **shell(PRINTS), **NEEDS, "priority": 90},
    {"id": LONG_ID, "title": NAME, **NEEDS},
    {"id": "ASK", **ASKED},
)
ADMIN = (
    "/admin/",
    *(f"/admin/executions/{model}/" for model in ("taskgroup", "task", "execution", "taskrun")),
    *(f"/admin/executions/{model}/" for model in ("attempt", "command", "auditentry", "secret")),
    "/admin/executions/taskgroup/{group}/change/",
    "/admin/executions/taskgroup/{group}/history/",
    "/admin/executions/execution/{key}/change/",
    "/admin/executions/team/1/history/",
)
ADDRESSES = (*PAGES, f"/executions/{{id}}/?tab=tasks&task={LONG_ID}", *ADMIN)


@pytest.fixture(scope="module")
def hostile(site, session):
    """A run that is over and one that goes on: group, id and key of each."""
    secret = {"name": "HOSTILE", "value": "a long enough one", "description": NAME}
    site.call("POST", "/api/v1/secrets/", secret)
    limit = site.call("GET", "/api/v1/teams/design_team/")["maximum"]
    change = {"maximum": limit, "reason": SCRIPT[:100]}
    site.call("PATCH", "/api/v1/teams/design_team/", change)
    over, goes_on = (run(site, asked) for asked in (OVER, {**GOES_ON, "name": NAME[::-1]}))
    site.finished(over["id"], session)
    yield over, goes_on
    site.call("POST", f"/api/v1/executions/{goes_on['id']}/cancel/", {})
    site.finished(goes_on["id"], session)


def run(site, asked):
    group = site.call("POST", "/api/v1/task-groups/", asked)
    made = site.call("POST", "/api/v1/executions/", {"task_group": group["id"]})
    return {"id": made["id"], "group": group["id"], "key": made["id"].removeprefix("PEXEC-")}


@pytest.mark.parametrize("width", [390, 1280])
def test_hostile_text_stands_on_every_page_as_text(chromium, site, session, hostile, width):
    made = Watched(chromium, site, session, viewport={"width": width, "height": 844})
    wrong = []
    over, goes_on = hostile
    paths = {path.format(**of): None for of in (over, goes_on) for path in ADDRESSES}
    for path in paths:
        page = made.open(path)
        if "/executions/PEXEC" in path:
            expect(page.locator("#live")).to_have_text("Live")
        if made.overflow() > 0:
            wrong.append((path, f"{made.overflow()} px too wide"))
        if page.evaluate("'ran' in window || document.querySelector('img[src=x]') !== null"):
            wrong.append((path, "text became a part of the page"))
    wrong += made.faults
    made.faults.clear()
    assert wrong == []
    made.close()
