"use strict";
const filter = document.getElementById("filter");
const bad = document.getElementById("bad");
function show() {
  const wanted = filter.value.trim().toLowerCase();
  for (const row of document.querySelectorAll(".cases tbody tr")) {
    row.hidden = !row.dataset.name.includes(wanted) || (bad.checked && !row.classList.contains("bad"));
  }
}
filter.addEventListener("input", show);
bad.addEventListener("change", show);
