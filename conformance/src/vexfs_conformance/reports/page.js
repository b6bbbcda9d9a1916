"use strict";
const said = document.getElementById("said");

for (const button of document.querySelectorAll(".again button")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = "Copied";
    said.textContent = "The command is copied.";
  });
}

const all = document.getElementById("open-all");
if (all) {
  all.hidden = false;
  all.addEventListener("click", () => {
    for (const failure of document.querySelectorAll(".failure")) failure.open = true;
    all.hidden = true;
  });
}

const form = document.querySelector(".tools");
const rows = [...document.querySelectorAll(".cases tr[data-name]")];
function show() {
  const words = form.elements.filter.value.trim().toLowerCase();
  const kind = form.elements.show.value;
  for (const row of rows) {
    row.hidden = !row.dataset.name.includes(words) || !(kind === "" || row.dataset.has.split(" ").includes(kind));
  }
  for (const body of document.querySelectorAll(".cases tbody")) {
    body.hidden = !body.querySelector("tr[data-name]:not([hidden])");
  }
  form.elements.count.value = `${rows.filter((row) => !row.hidden).length} of ${rows.length} cases`;
}
form.hidden = false;
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
show();

// An address that names a failure opens it.
function open() {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
}
addEventListener("hashchange", open);
open();
