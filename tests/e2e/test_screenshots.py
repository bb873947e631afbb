"""Every page in its states, as pictures a person can look at: `make screenshots`, var/screenshots.

In the whole suite only a few of them, in one look: that the scenes can be played and nothing is
said on the console meanwhile.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e import scenes
from tests.e2e.chromium import Watched

pytestmark = [pytest.mark.processes, pytest.mark.browser]
SHOTS = Path(__file__).resolve().parents[2] / "var" / "screenshots"
IS_FULL = "PEXEC_SCREENSHOTS" in os.environ
LOOKS = [(scheme, width) for width in (1280, 390) for scheme in ("light", "dark")]
PATIENCE_MS = 30_000
OTHER = "set.max_concurrency=8&set.task_type:heavy_computation=3"
EMPTY = {
    "empty-dashboard": "/",
    "empty-groups": "/groups/",
    "empty-executions": "/executions/",
    "empty-work": "/work/",
    "empty-limits": "/limits/",
}
PAGES = {
    "dashboard": "/",
    "dashboard-nothing-found": "/?q=nothing-like-this",
    "executions": "/executions/",
    "groups": "/groups/",
    "group": "/groups/{group}/",
    "group-editor": "/groups/{group}/edit/",
    "group-editor-new": "/groups/new/",
    "group-upload": "/groups/upload/?sample=1",
    "plan": "/groups/{group}/plan/",
    "plan-other-limits": f"/groups/{{group}}/plan/?{OTHER}",
    "limits": "/limits/",
    "limits-upload": "/limits/upload/",
    "work": "/work/",
    "audit": "/audit/",
    "not-found": "/executions/PEXEC-1/",
    "not-allowed": "/admin/executions/execution/add/",
    "api": "/api/docs/",
    "admin": "/admin/",
    "admin-teams": "/admin/executions/team/",
    "admin-resources": "/admin/executions/resource/",
    "admin-team": "/admin/executions/team/1/change/",
    "admin-team-in-use": "/admin/executions/team/1/delete/",
    "admin-team-history": "/admin/executions/team/1/history/",
    "admin-groups": "/admin/executions/taskgroup/",
    "admin-group": "/admin/executions/taskgroup/{group}/change/",
    "admin-executions": "/admin/executions/execution/",
    "admin-secret": "/admin/executions/secret/add/",
    "admin-users": "/admin/auth/user/",
    "admin-user": "/admin/auth/user/1/change/",
    "execution-failed": "/executions/{failed}/",
    "execution-cancelled": "/executions/{cancelled}/",
    "task-shell-running": "/executions/{running}/?tab=tasks&task=IMPORT-1",
    "task-waits": "/executions/{running}/?tab=tasks&task=DRAW-4",
    "task-external": "/executions/{running}/?tab=tasks&task=SIGN-OFF",
    "task-failed": "/executions/{partial}/?tab=tasks&task=SHIP",
    "what-if": f"/executions/{{partial}}/?tab=concurrency&{OTHER}",
    **{
        f"execution-{name}-{tab}": f"/executions/{{{name}}}/?tab={tab}"
        for name in ("running", "partial")
        for tab in ("timeline", "tasks", "graph", "concurrency", "report")
    },
}
SHORT = ("dashboard", "plan", "admin-teams", "execution-running-timeline", "task-waits")
"""What a page must show before its picture is worth taking."""
SHOWN = {
    "execution-running-concurrency": "#charts svg",
    "execution-partial-concurrency": "#charts svg",
    "execution-running-graph": ".node",
    "execution-partial-graph": ".node",
    "api": ".opblock",
    "plan-other-limits": "button:text('Run with these')",
    "what-if": "#charts svg",
}


def taken(made, page, name, look):
    page.screenshot(path=SHOTS / f"{name}.{look[0]}-{look[1]}.png", full_page=True)
    return [] if made.overflow() <= 0 else [f"{name}: {made.overflow()} px too wide"]


def opened(chromium, site, session, look, **options):
    size = {"width": look[1], "height": 900}
    return Watched(chromium, site, session, viewport=size, color_scheme=look[0], **options)


@pytest.fixture(scope="module")
def before(chromium, site, session):
    """The pages of a site on which nothing was done yet."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    wrong = []
    for look in LOOKS if IS_FULL else []:
        made = opened(chromium, site, session, look)
        for name, path in EMPTY.items():
            wrong += taken(made, made.open(path), name, look)
        made.close()
    return wrong


@pytest.fixture(scope="module")
def played(before, site, session):
    """The scenes; what still runs is cancelled afterwards."""
    group = site.call("POST", "/api/v1/task-groups/", scenes.nightly())["id"]
    names = {
        "group": group,
        "partial": site.call("POST", "/api/v1/executions/", {"task_group": group})["id"],
        "failed": site.submit(scenes.stopped()),
        "cancelled": site.submit(scenes.given_up()),
    }
    site.call("POST", f"/api/v1/executions/{names['cancelled']}/cancel/")
    for name in ("partial", "failed", "cancelled"):
        site.finished(names[name], session)
    names["running"] = running = site.submit(scenes.ledger())  # it holds what the others need
    yield names
    site.call("POST", f"/api/v1/executions/{running}/cancel/")
    site.finished(running, session)


def test_every_page_without_anything_fits(before):
    assert before == []


@pytest.mark.parametrize("look", LOOKS if IS_FULL else LOOKS[:1], ids=str)
def test_every_page_in_its_states_fits(chromium, site, session, played, look):
    made = opened(chromium, site, session, look)
    wrong = []
    for name, path in PAGES.items():
        if not IS_FULL and name not in SHORT:
            continue
        page = made.open(path.format(**played))
        if "PEXEC-1/" not in page.url and page.locator("#live").count():
            expect(page.locator("#live")).to_have_text("Live", timeout=PATIENCE_MS)
        if "running" in path:
            expect(page.locator("#failures-words")).to_contain_text("2 root", timeout=PATIENCE_MS)
        if name in SHOWN:
            expect(page.locator(SHOWN[name]).first).to_be_visible(timeout=PATIENCE_MS)
        wrong += taken(made, page, name, look)
    refused = ("404 (Not Found)", "403 (Forbidden)")  # what two of the pages are there to show
    made.faults[:] = [fault for fault in made.faults if not any(r in fault for r in refused)]
    made.close()
    assert wrong == []


@pytest.mark.skipif(not IS_FULL, reason="pictures of forms: make screenshots")
@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_every_answer_to_a_form_fits(chromium, site, session, played, look):
    made = opened(chromium, site, session, look)
    wrong = []
    for name, path, text in (
        ("group-upload-faults", "/groups/upload/", scenes.BROKEN),
        ("group-upload-changes", "/groups/upload/", scenes.CHANGED),
        ("limits-upload-changes", "/limits/upload/", scenes.LIMITS),
    ):
        page = made.open(path)
        page.locator("textarea[name=text]:visible").fill(text)
        page.get_by_role("button", name="Show what it would change").click()
        wrong += taken(made, page, name, look)
    page = made.open("/groups/new/")
    page.locator("[name=tasks-0-id]").fill("A")
    page.locator("[name=tasks-0-depends_on]").fill("B")
    page.locator("[name=tasks-1-id]").fill("B")
    page.locator("[name=tasks-1-depends_on]").fill("A")
    page.get_by_role("button", name="Save").click()
    wrong += taken(made, page, "group-editor-faults", look)
    page = made.open("/")
    page.keyboard.press("?")
    wrong += taken(made, page, "keys", look)
    page = made.open(f"/executions/{played['partial']}/?tab=report")
    page.emulate_media(media="print")
    wrong += taken(made, page, "paper", look)
    page.emulate_media(media="screen")
    made.context.clear_cookies()
    wrong += taken(made, made.open("/login/"), "login", look)
    page.fill("input[name=username]", "nobody")
    page.fill("input[name=password]", "wrong")
    page.press("input[name=password]", "Enter")
    wrong += taken(made, page, "login-refused", look)
    made.faults[:] = [fault for fault in made.faults if "400" not in fault]
    made.close()
    assert wrong == []


class Wire:
    """The socket of a page, to be cut: what is opened after that stays closed."""

    def __init__(self):
        self.open = []
        self.is_cut = False

    def route(self, socket):
        if self.is_cut:
            socket.close()
        else:
            socket.connect_to_server()
            self.open.append(socket)

    def cut(self):
        self.is_cut = True
        for socket in self.open:
            socket.close()


@pytest.mark.skipif(not IS_FULL, reason="pictures of changes: make screenshots")
@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_every_change_fits(chromium, site, session, played, look):
    made = opened(chromium, site, session, look)
    run = f"/executions/{played['running']}/"
    wrong = []
    page = made.open("/work/")
    page.get_by_role("button", name="Take it").click()
    wrong += taken(made, page, "work-taken", look)
    page = made.open(f"{run}?tab=tasks&task=SIGN-OFF")
    expect(page.locator("#live")).to_have_text("Live", timeout=PATIENCE_MS)
    wrong += taken(made, page, "task-external-taken", look)
    page = made.open("/work/")
    page.get_by_role("button", name="Hand it back").click()
    page = made.open(run)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#state")).to_have_text("Paused", timeout=PATIENCE_MS)
    wrong += taken(made, page, "execution-paused", look)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#state")).to_have_text("Running", timeout=PATIENCE_MS)
    wire = Wire()
    page.route_web_socket("**/ws/**", wire.route)
    page = made.open(f"{run}?tab=tasks")
    expect(page.locator("#live")).to_have_text("Live", timeout=PATIENCE_MS)
    wire.cut()
    expect(page.locator("#reconnect")).to_be_visible(timeout=PATIENCE_MS)
    wrong += taken(made, page, "execution-reconnecting", look)
    page = made.open("/admin/executions/execution/")
    page.locator("tr", has_text=played["running"]).locator("input[type=checkbox]").check()
    page.select_option("select[name=action]", "cancel")
    page.get_by_role("button", name="Go").click()
    wrong += taken(made, page, "admin-cancel", look)
    made.faults[:] = [fault for fault in made.faults if "WebSocket" not in fault]
    made.close()
    assert wrong == []
