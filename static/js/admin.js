// @ts-check
/** Names, for screen readers, of what the admin's own widgets leave without one. */

window.addEventListener("load", () => {
  for (const tip of document.querySelectorAll(".help-tooltip[aria-label]")) {
    tip.setAttribute("role", "img"); // a bare span has no name; the filter of a list is named by it
  }
  for (const input of document.querySelectorAll(".datetime input:not([type=hidden])")) {
    const field = input.closest("fieldset")?.querySelector("legend")?.textContent ?? "";
    input.setAttribute("aria-label", `${field} ${input.previousSibling?.textContent ?? ""}`.replace(/[\s:]+/g, " ").trim());
  }
});
