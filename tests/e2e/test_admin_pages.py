"""The admin in Chromium: it fits, reads, and says nothing on the console, light and dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.e2e.chromium import Watched

pytestmark = [pytest.mark.processes, pytest.mark.browser]
PAGES = (
    "/admin/",
    "/admin/executions/team/",
    "/admin/executions/resource/",
    "/admin/executions/taskgroup/",
    "/admin/executions/execution/",
    "/admin/executions/resource/add/",
    "/admin/executions/team/1/change/",
    "/admin/executions/team/1/history/",
    "/admin/executions/taskrun/",
    "/admin/auth/user/1/change/",
)
CUT = """() => [...document.querySelectorAll(".form-row :is(textarea, select, input, .selector)")]
  .filter((field) => field.getBoundingClientRect().right >
    field.closest(".form-row").parentElement.getBoundingClientRect().right)
  .map((field) => field.name || field.className)"""


@pytest.mark.parametrize("look", [("light", 1280), ("dark", 390)], ids=str)
def test_the_admin_fits_and_reads(chromium, site, session, look):
    size = {"width": look[1], "height": 844}
    made = Watched(chromium, site, session, viewport=size, color_scheme=look[0])
    wrong = []
    for path in PAGES:
        page = made.open(path)
        if made.overflow() > 0:
            wrong.append((path, f"{made.overflow()} px too wide"))
        if cut := page.evaluate(CUT):
            wrong.append((path, "cut at the edge", cut))
        said = list(made.faults)
        for violation in Axe().run(page).response["violations"]:
            places = [node["target"] for node in violation["nodes"]]
            wrong.append((path, violation["id"], places[:4]))
        made.faults[:] = said  # axe itself tries inline styles here
    made.close()
    assert wrong == []
