"""What a live page does when things change around it: connection, paper, the end, the address."""

import os
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.chromium import Watched
from tests.e2e.conftest import processes_of

pytestmark = [pytest.mark.processes, pytest.mark.browser]
PATIENCE_MS = 30_000
LATE_MS = 60_000
SPY = """
window.notified = [];
window.Notification = class extends window.Notification {
  constructor(title, options) { super(title, options); window.notified.push(title); }
};
"""


def gated(gate, *more):
    """A run that goes on until the file `gate` is there."""
    command = f"until [ -e {gate} ]; do sleep 0.05; done"
    tasks = [{"id": "gate", "runner": "shell", "payload": {"command": command}}, *more]
    return {"name": "gated", "tasks": tasks}


FAILS = [
    {"id": f"bad-{n}", "title": f"title {n}", "runner": "sleep", "team": f"{team}_team",
     "payload": {"seconds": 0, "fail_with": f"broken {n}"}}
    for n, team in enumerate(("dev", "pm"))
]  # fmt: skip
AFTER = [{"id": "after", "runner": "noop", "depends_on": ["bad-0"]}]


@pytest.fixture(scope="module")
def failed(site, session):
    """A finished run with two root failures and what one of them skipped."""
    public_id = site.submit({"name": "two failures", "tasks": [*FAILS, *AFTER, {"id": "good"}]})
    site.finished(public_id, session)
    return public_id


@pytest.fixture
def watched(chromium, site, session):
    made = Watched(chromium, site, session, viewport={"width": 1280, "height": 900})
    yield made
    made.close()


def live(page):
    expect(page.locator("#live")).to_have_text("Live", timeout=LATE_MS)


def web_processes(var):
    """The web server's processes of this site."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes_of(var)}
    return [int(pid) for pid, command in commands.items() if b"pexec_site.web" in command]


def test_a_lost_connection_is_said_with_the_age_of_what_one_sees(watched, site, tmp_path):
    public_id = site.submit(gated(tmp_path / "gate"))
    page = watched.open(f"/executions/{public_id}/")
    live(page)
    board = watched.context.new_page()
    board.goto(site.address)
    live(board)
    keeper = int(Path(f"{site.var}/supervisord.pid").read_text())
    os.kill(keeper, signal.SIGSTOP)  # or it would start the web server again at once
    try:
        for pid in web_processes(site.var):
            os.kill(pid, signal.SIGKILL)
        for shown in (page, board):
            banner = shown.locator("#reconnect")
            expect(banner).to_contain_text(re.compile(r"what you see is \d\d:\d\d old"))
            expect(banner).not_to_contain_text("00:00")
            expect(shown.locator("#live")).to_have_text("Reconnecting")
            panel = shown.locator(".panel").first
            assert float(panel.evaluate("e => getComputedStyle(e).opacity")) < 1
    finally:
        os.kill(keeper, signal.SIGCONT)
    (tmp_path / "gate").touch()
    for shown in (page, board):
        live(shown)
        expect(shown.locator("#reconnect")).to_be_hidden()
        panel = shown.locator(".panel").first
        assert float(panel.evaluate("e => getComputedStyle(e).opacity")) == 1
    expect(page.locator("#state")).to_have_text("Completed", timeout=PATIENCE_MS)
    # what the browser itself says of a server that is gone
    watched.faults[:] = [fault for fault in watched.faults if "WebSocket" not in fault]


def test_a_run_says_what_is_left_of_it_and_at_last_what_was_forecast(site, watched, tmp_path):
    rest = [{"id": f"rest-{n}", "runner": "noop", "duration_s": 600} for n in range(2)]
    spec = gated(tmp_path / "gate", *({**task, "depends_on": ["gate"]} for task in rest))
    spec["tasks"][0]["duration_s"] = 600
    public_id = site.submit(spec)
    page = watched.open("/")
    row = page.locator("#executions tr", has_text=public_id)
    expect(row).to_contain_text(re.compile(r"about (19|20):\d\d"), timeout=PATIENCE_MS)
    page = watched.open(f"/executions/{public_id}/")
    expect(page.locator("#left")).to_have_text(
        re.compile(r"about (19|20):\d\d left"), timeout=PATIENCE_MS
    )
    (tmp_path / "gate").touch()
    expect(page.locator("#ended")).to_contain_text("forecast 20:00", timeout=PATIENCE_MS)
    expect(page.locator("#left")).to_have_text("forecast was 20:00")


def test_the_end_is_notified_to_who_asked_and_to_nobody_else(chromium, site, session, tmp_path):
    public_id = site.submit(gated(tmp_path / "gate"))
    made = Watched(chromium, site, session, permissions=["notifications"])
    made.context.add_init_script(SPY)
    page = made.open(f"/executions/{public_id}/")
    live(page)
    other = made.context.new_page()
    other.goto(page.url)
    live(other)
    page.get_by_role("button", name="Notify me").click()
    expect(page.get_by_role("button", name="Will notify")).to_have_attribute("aria-pressed", "true")
    assert re.match("\\(\\d+ %\\) gated \N{EN DASH} running", page.title())
    (tmp_path / "gate").touch()
    expect(page.locator("#ended")).to_contain_text("Completed", timeout=PATIENCE_MS)
    expect(other.locator("#ended")).to_contain_text("Completed", timeout=PATIENCE_MS)
    assert page.evaluate("window.notified") == ["gated: Completed"]
    assert other.evaluate("window.notified") == []
    assert page.title() == "gated \N{EN DASH} completed"
    expect(page.get_by_role("button", name="Retry failed")).to_be_disabled()
    favicon = page.locator("link[rel=icon]").get_attribute("href")
    assert favicon.startswith("data:image/png")
    made.close()


def test_paper_has_the_report_and_no_controls(chromium, site, session, failed):
    made = Watched(
        chromium, site, session, viewport={"width": 800, "height": 900}, color_scheme="dark"
    )
    page = made.open(f"/executions/{failed}/?tab=report")
    live(page)
    expect(page.locator("#report")).to_contain_text("Speed-up")
    page.emulate_media(media="print")
    for part in (".topbar", ".tabs", ".actions >> nth=0", "#failures-retry"):
        expect(page.locator(part)).to_be_hidden()
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("#report tbody tr")).to_have_count(4)
    ink = page.locator("h1").evaluate("e => getComputedStyle(e).color")
    assert max(map(int, re.findall(r"\d+", ink)[:3])) < 100
    assert made.overflow() <= 0
    page.goto(f"{site.address}/executions/{failed}/?tab=tasks")
    live(page)
    expect(page.locator("tr[data-task=good]")).to_be_visible()
    assert page.locator("#tasks-view").evaluate("e => e.scrollHeight - e.clientHeight") <= 1
    made.close()


def test_keys_search_move_open_and_rest_while_one_types(watched, failed):
    page = watched.open(f"/executions/{failed}/?tab=tasks")
    live(page)
    expect(page.locator("tr[data-task=good]")).to_be_visible()
    page.keyboard.press("f")
    expect(page.locator("#side h2")).to_have_text("bad-0")
    page.keyboard.press("f")
    expect(page.locator("#side h2")).to_have_text("bad-1")
    page.keyboard.press("Escape")
    for key, at in (("j", "bad-0"), ("j", "bad-1"), ("j", "after"), ("k", "bad-1")):
        page.keyboard.press(key)
        expect(page.locator(f"tr[data-task={at}]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#side h2")).to_have_text("bad-1")
    page.keyboard.press("Escape")
    for key, tab in enumerate(("timeline", "tasks", "graph", "concurrency", "report"), start=1):
        page.keyboard.press(str(key))
        expect(page.locator(f"#view-{tab}")).to_be_visible()
    page.keyboard.press("2")
    page.keyboard.press("/")
    expect(page.get_by_label("Search tasks")).to_be_focused()
    page.keyboard.type("f1j?title 1")
    expect(page.locator("#view-tasks")).to_be_visible()
    expect(page.locator("#side")).to_be_hidden()
    expect(page.locator("#keys")).to_be_hidden()
    expect(page.get_by_label("Search tasks")).to_have_value("f1j?title 1")


def test_the_address_keeps_filters_order_and_what_is_open(watched, site, failed):
    page = watched.open(f"/executions/{failed}/?tab=tasks")
    live(page)
    page.get_by_label("State").select_option("failed")
    page.get_by_role("button", name="pm_team").click()
    page.get_by_label("Search tasks").fill("bad")
    page.locator("th.c-time button").click()
    page.locator("th.c-time button").click()
    page.locator("tr[data-task=bad-1]").click()
    expect(page.locator("#side h2")).to_have_text("bad-1")
    page.goto("about:blank")
    page.go_back()
    live(page)
    expect(page.locator("#task-rows tr[data-task]")).to_have_count(1)
    expect(page.locator("#task-count")).to_have_text("1 of 4 tasks")
    expect(page.get_by_label("State")).to_have_value("failed")
    expect(page.get_by_role("button", name="pm_team")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("th.c-time")).to_have_attribute("aria-sort", "descending")
    expect(page.locator("#side h2")).to_have_text("bad-1")
    page.goto(f"{site.address}/?hide=1&state=failed")
    live(page)
    expect(page.locator("#executions tr")).to_have_count(0)
    page.get_by_label("hide finished").uncheck()
    page.get_by_label("State").select_option("completed")
    expect(page.locator("#executions")).to_contain_text("two failures")
    assert page.url.endswith("/?state=completed")


def test_ticked_failures_are_retried_copied_and_found_in_the_graph(watched, failed):
    watched.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = watched.open(f"/executions/{failed}/?tab=tasks")
    live(page)
    page.get_by_role("button", name="Copy as Markdown").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "### bad-0 (error, attempt 1)" in copied
    assert "Skipped because of it: after" in copied
    page.locator("article[data-task=bad-0]").get_by_role("button", name="Show in graph").click()
    expect(page.locator(".node.chosen")).to_have_attribute("aria-label", "bad-0, Failed")
    page.get_by_label("Retry bad-1").uncheck()
    page.get_by_role("button", name="Retry the ticked").click()
    page.wait_for_url(re.compile(rf"/executions/(?!{failed})PEXEC-\d+/$"))
    expect(page.locator("#state")).to_contain_text("Failed", timeout=PATIENCE_MS)
    expect(page.locator("#counts")).to_have_text("failed 1 · skipped 1")


@pytest.mark.parametrize("focused", ["tr[data-task=next]", "#task-filters [name=q]"])
def test_focus_filter_and_the_chosen_row_survive_updates(watched, site, tmp_path, focused):
    gate = tmp_path / "gate"
    public_id = site.submit(gated(gate, {"id": "next", "depends_on": ["gate"]}))
    page = watched.open(f"/executions/{public_id}/?tab=tasks")
    live(page)
    page.locator("tr[data-task=next]").click()
    expect(page.locator("#side h2")).to_have_text("next")  # which takes the focus as it opens
    page.get_by_label("Search tasks").fill("ext")
    page.get_by_label("Search tasks").press("Home")
    page.locator(focused).focus()
    gate.touch()
    row = page.locator("#task-rows tr[data-task]")
    expect(row.locator(".state")).to_have_text("Completed", timeout=PATIENCE_MS)
    expect(page.locator(focused)).to_be_focused()
    expect(row).to_have_class(re.compile(r"\bchosen\b"))
    expect(page.locator("#side h2")).to_have_text("next")
    expect(page.get_by_label("Search tasks")).to_have_value("ext")
    page.get_by_label("Search tasks").focus()
    page.keyboard.type("n")
    expect(page.get_by_label("Search tasks")).to_have_value("next")
    expect(row).to_have_count(1)


def test_the_table_is_as_high_as_its_rows_and_no_higher_than_most_of_the_window(watched, site):
    public_id = site.submit(
        {"name": "many", "tasks": [{"id": f"n-{n}"} for n in range(60)] + [{"id": "only"}]}
    )
    page = watched.open(f"/executions/{public_id}/?tab=tasks")
    live(page)
    rows, search = page.locator("#task-rows tr[data-task]"), page.get_by_label("Search tasks")
    height = "e => e.clientHeight / innerHeight"
    for text, is_low in (("", False), ("only", True), ("", False)):
        search.fill(text)
        expect(page.locator("tr[data-task=n-14]")).to_have_count(0 if is_low else 1)
        share = page.locator("#tasks-view").evaluate(height)
        assert share < 0.15 if is_low else 0.55 < share < 0.61
    assert rows.count() < 60
