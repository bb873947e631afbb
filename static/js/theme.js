// @ts-check
/** Puts the chosen theme on before the first paint; a plain script because modules come too late. */
{
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") {
    document.documentElement.dataset.theme = chosen;
  }
}
