/** Light or dark before anything is painted: a plain script, for which the page waits as it does not for modules. */
window.isegzoo = {
  /** What the person chose is kept under this name. */
  THEME: "isegzoo.theme",
  /** Show what the person chose, or what the system says. */
  showTheme() {
    let chosen = null;
    try {
      chosen = JSON.parse(localStorage.getItem(this.THEME));
    } catch {
      // A browser that keeps nothing.
    }
    const system = window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    document.documentElement.dataset.theme = ["light", "dark"].includes(chosen) ? chosen : system;
  },
};
window.isegzoo.showTheme();
