// @ts-check
/** The documents of the REST interface have a dark style of their own: on where the page is dark. */

const asSystem = matchMedia("(prefers-color-scheme: dark)");

function show() {
  const theme = document.documentElement.dataset.theme;
  const isDark = theme === undefined ? asSystem.matches : theme === "dark";
  document.documentElement.classList.toggle("dark-mode", isDark);
}

show();
asSystem.addEventListener("change", show);
document.addEventListener("pexec:look", show);
