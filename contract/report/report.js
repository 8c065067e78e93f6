const buttons = [...document.querySelectorAll("nav button")];
const search = document.querySelector("nav input");
let shown = "";

function apply() {
  const words = search.value.trim().toLowerCase();
  for (const row of document.querySelectorAll(".row")) {
    const states = row.dataset.state.split(" ");
    const fits = (!shown || states.includes(shown)) && (!words || row.textContent.toLowerCase().includes(words));
    row.hidden = !fits;
  }
  for (const part of document.querySelectorAll(".group, section")) {
    part.hidden = !part.querySelector(".row:not([hidden])");
  }
  document.getElementById("nothing").hidden = Boolean(document.querySelector(".row:not([hidden])"));
}

function show(state) {
  shown = state;
  for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.show === state));
  apply();
}

for (const button of buttons) button.addEventListener("click", () => show(button.dataset.show));
search.addEventListener("input", apply);
if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.setAttribute("open", "");
