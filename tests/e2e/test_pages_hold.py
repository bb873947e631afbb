"""The pages in Chromium against a real site with real runs."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.chromium import Watched

pytestmark = [pytest.mark.processes, pytest.mark.browser]

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'`{{7*7}}</textarea>"
SPEC = {
    "name": f"watched {HOSTILE}",
    "description": HOSTILE,
    "failure_strategy": "continue_on_failure",
    "tasks": [
        {"id": "one", "title": HOSTILE, "runner": "sleep", "payload": {"seconds": 0.2}},
        {
            "id": "two",
            "title": "fails",
            "runner": "shell",
            "payload": {"command": ["sh", "-c", 'printf "%s\\n" "$0" >&2; exit 3', HOSTILE]},
            "depends_on": ["one"],
        },
        {"id": "three", "runner": "noop", "depends_on": ["two"]},
    ],
}


@pytest.fixture(scope="module")
def finished(site, session):
    group = site.call("POST", "/api/v1/task-groups/", SPEC)
    made = site.call("POST", "/api/v1/executions/", {"task_group": group["id"]})
    site.finished(made["id"], session)
    return {"id": made["id"], "group": group["id"]}


@pytest.fixture
def watched(chromium, site, session):
    made = Watched(chromium, site, session, viewport={"width": 1280, "height": 900})
    yield made
    made.close()


PAGES = [
    "/",
    "/executions/",
    "/groups/",
    "/groups/new/",
    "/groups/upload/?sample=1",
    "/groups/{group}/",
    "/groups/{group}/edit/",
    "/groups/{group}/plan/",
    "/limits/",
    "/limits/upload/",
    "/work/",
    "/audit/",
    "/executions/{id}/?tab=tasks&task=two",
    "/executions/{id}/?tab=timeline",
    "/executions/{id}/?tab=graph",
    "/executions/{id}/?tab=concurrency",
    "/executions/{id}/?tab=report",
]
LOOKS = [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 320)]


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_every_page_fits_reads_and_keeps_hostile_text_as_text(
    chromium,
    site,
    session,
    finished,
    look,
):
    scheme, width = look
    size = {"width": width, "height": 844}
    made = Watched(chromium, site, session, viewport=size, color_scheme=scheme)
    wrong = []
    for path in PAGES:
        page = made.open(path.format(**finished))
        if "/executions/PEXEC" in page.url:
            expect(page.locator("#live")).to_have_text("Live")
        if made.overflow() > 0:
            wrong.append((path, f"{made.overflow()} px too wide"))
        for violation in Axe().run(page).response["violations"]:
            places = [node["target"] for node in violation["nodes"]]
            wrong.append((path, violation["id"], places[:4]))
    assert wrong == []
    made.close()


def test_a_group_made_by_form_runs_and_changes_before_ones_eyes(watched):
    page = watched.open("/groups/new/")
    page.get_by_label("Name", exact=True).fill("by hand")
    for index, (name, seconds, needs) in enumerate(
        (("first", "0.5", ""), ("second", "1", "first"), ("third", "0.3", "second"))
    ):
        row = page.locator(".task-row").nth(index)
        row.get_by_label("Id").fill(name)
        row.get_by_label("Runner").select_option("sleep")
        payload = (
            f'{{"seconds": {seconds}, "fail_with": "it broke"}}' if name == "third" else seconds
        )
        row.get_by_label("Payload").fill(payload)
        row.get_by_label("Depends on").fill(needs)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="by hand")).to_be_visible()
    page.get_by_role("button", name="Run").click()
    page.evaluate("window.notReloaded = true")
    expect(page.locator("#ended")).to_contain_text("Completed with 1 failure", timeout=30_000)
    expect(page.locator("#failures")).to_contain_text("it broke")
    expect(page.locator("tr[data-task=first] .state")).to_have_text("Completed")
    assert page.evaluate("window.notReloaded")
    assert page.title().startswith("by hand")


def test_keys_alone_are_enough(watched, finished):
    page = watched.open(f"/executions/{finished['id']}/?tab=tasks")
    expect(page.locator("tr[data-task=one]")).to_be_visible()
    page.keyboard.press("f")
    expect(page.locator("#side")).to_contain_text("fails")
    page.keyboard.press("Escape")
    expect(page.locator("#side")).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#side h2")).to_have_text("one")
    page.keyboard.press("5")
    expect(page.locator("#report")).to_contain_text("Speed-up")
    assert "tab=report" in page.url
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()


def test_without_a_script_one_reads_runs_and_reports(chromium, site, session, finished):
    made = Watched(chromium, site, session, java_script_enabled=False)
    page = made.open(f"/groups/{finished['group']}/")
    page.get_by_role("button", name="Run").click()
    assert "/executions/PEXEC-" in page.url
    page = made.open(f"/executions/{finished['id']}/?tab=report")
    expect(page.locator("#report")).to_contain_text("Speed-up")
    page = made.open(f"/executions/{finished['id']}/?tab=tasks&task=two")
    expect(page.locator("#side")).to_contain_text("Attempts")
    expect(page.locator("#task-rows tr")).to_have_count(3)
    made.close()
