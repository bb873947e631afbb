// @ts-check
/** The task rows of the group editor: add, remove, and the name in each row's legend. */

import { part } from "./dom.js";

const rows = part("rows");
const blank = /** @type {HTMLTemplateElement} */ (part("blank"));
let next = rows.children.length;

/** @param {Element} row */
function wake(row) {
  for (const hidden of row.querySelectorAll(".script-only")) {
    hidden.removeAttribute("hidden");
  }
}

function add() {
  const holder = document.createElement("template");
  holder.innerHTML = blank.innerHTML.replaceAll("tasks-__-", `tasks-${next}-`);
  next += 1;
  const row = holder.content.firstElementChild;
  if (row !== null) {
    wake(row);
    rows.append(row);
    row.querySelector("input")?.focus();
  }
}

for (const hidden of document.querySelectorAll(".script-only")) {
  hidden.removeAttribute("hidden");
}
for (const hidden of document.querySelectorAll(".no-script")) {
  hidden.setAttribute("hidden", "");
}
part("add").addEventListener("click", add);
rows.addEventListener("click", (event) => {
  const target = /** @type {Element} */ (event.target);
  if (target.closest("[data-remove]") !== null) {
    target.closest(".task-row")?.remove();
  }
});
rows.addEventListener("input", (event) => {
  const field = event.target;
  if (field instanceof HTMLInputElement && field.name.endsWith("-id")) {
    const name = field.closest(".task-row")?.querySelector(".row-name");
    if (name) {
      name.textContent = field.value;
    }
  }
});
