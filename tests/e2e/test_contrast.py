"""Every colour that says something, measured in the browser against what it may stand on."""

import pytest

from tests.e2e.chromium import Watched

pytestmark = [pytest.mark.processes, pytest.mark.browser]
ENOUGH = 5.9
STATES = (
    "completed", "running", "dispatched", "queued", "blocked", "retrying", "failed", "cancelled",
    "skipped", "partial", "paused", "pending", "cancelling",
)  # fmt: skip
GROUNDS = ("--panel", "--bg", "--raised", "--sunk")
MEASURE = """([states, grounds]) => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const seen = (property, value, name) => {
    const probe = document.createElement("span");
    probe.className = name;
    if (value) probe.style.setProperty(property, value);
    document.body.append(probe);
    pen.fillStyle = getComputedStyle(probe).getPropertyValue(property);
    probe.remove();
    pen.fillRect(0, 0, 1, 1);
    const parts = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const chosen = "color-mix(in srgb, var(--accent) 12%, var(--panel))";
  const under = [...grounds.map((name) => `var(${name})`), chosen]
    .map((value) => [value, seen("background-color", value, "")]);
  const over = [
    ...states.map((state) => [state, seen("color", "", `state state-${state}`)]),
    ...["--text", "--soft", "--link"].map((name) => [name, seen("color", `var(${name})`, "")]),
  ];
  return over.flatMap(([name, ink]) =>
    under.map(([on, ground]) => [name, on, contrast(ink, ground)]));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_can_be_read_on_every_ground(chromium, site, session, scheme):
    made = Watched(chromium, site, session, color_scheme=scheme)
    page = made.open("/")
    measured = page.evaluate(MEASURE, [list(STATES), list(GROUNDS)])
    assert len(measured) == (len(STATES) + 3) * (len(GROUNDS) + 1)
    assert max(contrast for *_, contrast in measured) > 2 * ENOUGH  # it does measure
    assert [m for m in measured if m[2] < ENOUGH] == []
    made.close()


def test_no_two_states_wear_the_same_icon(chromium, site, session):
    made = Watched(chromium, site, session)
    page = made.open("/")
    icons = page.evaluate(
        """async () => {
          const text = await (await fetch(document.documentElement.dataset.icons)).text();
          const drawn = new DOMParser().parseFromString(text, "image/svg+xml");
          return [...drawn.querySelectorAll("symbol")].map((one) => [one.id, one.innerHTML]);
        }"""
    )
    pictures = dict(icons)
    main = (
        "completed",
        "running",
        "queued",
        "blocked",
        "failed",
        "cancelled",
        "skipped",
        "partial",
    )
    assert pictures.keys() >= set(STATES)
    assert len({pictures[state] for state in main}) == len(main)
    made.close()
