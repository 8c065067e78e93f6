// Runs before the first paint: applies the stored theme and language. Nothing else is stored.
(() => {
  const root = document.documentElement;
  const remembered = (name) => {
    try {
      return localStorage.getItem(`twinlens.${name}`);
    } catch {
      return null;
    }
  };
  const theme = remembered("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  const language = remembered("language") ?? navigator.language;
  root.lang = language.startsWith("ko") ? "ko" : "en";
})();
