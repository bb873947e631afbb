// @ts-check
/** A desktop notification at the end, for those who asked for it in this tab. */

/** @param {string} id  of the execution */
function keyOf(id) {
  return `notify:${id}`;
}

/**
 * The button that asks for it; browsers that cannot do it show none.
 * @param {string} id
 */
export function setUpNotify(id) {
  const button = document.getElementById("notify");
  if (button === null || !("Notification" in window)) {
    return;
  }
  const show = () => {
    const isAsked = sessionStorage.getItem(keyOf(id)) === "1";
    button.setAttribute("aria-pressed", String(isAsked));
    button.textContent = isAsked ? "Will notify" : "Notify me";
  };
  button.addEventListener("click", async () => {
    const isAsked = sessionStorage.getItem(keyOf(id)) === "1";
    if (isAsked) {
      sessionStorage.removeItem(keyOf(id));
    } else if ((await Notification.requestPermission()) === "granted") {
      sessionStorage.setItem(keyOf(id), "1");
    } else {
      button.title = "This browser does not allow notifications from here";
    }
    show();
  });
  button.hidden = false;
  show();
}

/**
 * It is over: tell, once, if asked for.
 * @param {string} id
 * @param {string} words
 */
export function notifyEnd(id, words) {
  if (sessionStorage.getItem(keyOf(id)) === "1" && Notification.permission === "granted") {
    sessionStorage.removeItem(keyOf(id));
    new Notification(words, { body: id });
  }
}
