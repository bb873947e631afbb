// @ts-check
/** Many changes, one drawing: of the calls that come in a row, the last is carried out, once. */

/**
 * @param {() => void} run
 * @param {number | null} everyMs  null: with the next picture of the screen
 * @param {{later?: (run: () => void, ms: number) => any, picture?: (run: () => void) => any}} [clocks]
 * @returns {() => void}
 */
export function coalesced(run, everyMs = null, clocks = {}) {
  const later = clocks.later ?? ((due, ms) => setTimeout(due, ms));
  const picture = clocks.picture ?? ((due) => requestAnimationFrame(due));
  let isDue = false;
  return () => {
    if (isDue) {
      return;
    }
    isDue = true;
    const due = () => {
      isDue = false;
      run();
    };
    if (everyMs === null) {
      picture(due);
    } else {
      later(due, everyMs);
    }
  };
}

/**
 * A part of the page that the server makes: asked for again, put in place where it differs.
 * Focus on one of its links survives.
 * @param {HTMLElement} box  its `data-source` is the address
 * @returns {Promise<boolean>} whether it came
 */
export async function refreshed(box) {
  let answer;
  try {
    answer = await fetch(box.dataset.source ?? "", { credentials: "same-origin" });
  } catch {
    return false;
  }
  if (!answer.ok || answer.redirected) {
    return false;
  }
  const made = new DOMParser().parseFromString(await answer.text(), "text/html").body;
  const focused = document.activeElement;
  const at = focused instanceof HTMLAnchorElement && box.contains(focused) ? focused.href : null;
  box.replaceChildren(...made.childNodes);
  if (at !== null) {
    [...box.querySelectorAll("a")].find((link) => link.href === at)?.focus({ preventScroll: true });
  }
  return true;
}
