"""A person at a browser: signs in, fills the form, runs the group, sees it live, sees it fail."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.processes, pytest.mark.browser]
SHOTS = Path(__file__).resolve().parents[2] / "var" / "screenshots"
PATIENCE_MS = 20_000


@pytest.fixture
def page(chromium, site):
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on(
        "console",
        lambda said: page.complaints.append(said.text) if said.type == "error" else None,
    )
    page.on(
        "request",
        lambda asked: (
            page.complaints.append(asked.url)
            if not asked.url.startswith((site.address, "data:", "blob:"))
            else None
        ),
    )
    page.goto(f"{site.address}/login/")
    page.fill("input[name=username]", site.user)
    page.fill("input[name=password]", site.password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{site.address}/")
    yield page
    context.close()


def shot(page, name):
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def fill_task(page, number, **values):
    for name, value in values.items():
        field = page.locator(f"[name=tasks-{number}-{name}]")
        if name == "runner":
            field.select_option(value)
        else:
            field.fill(value)


def test_a_group_made_in_the_form_runs_live_and_reports_its_failure(page, site):
    page.goto(f"{site.address}/groups/new/")
    page.fill("input[name=name]", "By hand")
    while page.locator("fieldset.task-row").count() < 3:
        page.click("#add")
    fill_task(page, 0, id="FIRST", runner="sleep", payload="1", team="pm_team")
    fill_task(page, 1, id="BAD", runner="shell", payload="echo broken pipe; exit 3")
    fill_task(page, 2, id="AFTER", runner="noop", depends_on="BAD")
    shot(page, "group-form")
    page.locator("form#editor button.primary").click()
    page.wait_for_url("**/groups/*/")
    page.get_by_role("button", name="Run").first.click()
    page.wait_for_url("**/executions/PEXEC-*/**")
    page.evaluate("window.notReloaded = true")
    state = page.locator("#state")
    expect(state).to_contain_text("Completed with", timeout=PATIENCE_MS)
    assert page.evaluate("window.notReloaded === true")
    failures = page.locator("#failures-list")
    expect(failures).to_contain_text("BAD")
    expect(failures).to_contain_text("exit code 3")
    expect(failures).to_contain_text("AFTER")
    shot(page, "execution-failed")
    for tab in ("timeline", "tasks", "graph", "concurrency", "report"):
        page.goto(f"{page.url.split('?')[0]}?tab={tab}")
        page.wait_for_load_state("networkidle")
        shot(page, f"execution-{tab}")
    assert page.complaints == []


def test_every_page_can_be_seen_without_a_complaint(page, site):
    for name in ("", "executions/", "groups/", "limits/"):
        page.goto(f"{site.address}/{name}")
        page.wait_for_load_state("networkidle")
        shot(page, name.strip("/") or "dashboard")
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{site.address}/executions/")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
    assert page.complaints == []
