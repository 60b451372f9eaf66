// Tables that sort and texts that copy. What is shown comes from the page itself; nothing here makes markup from text.

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

// -- sorting: ascending, descending, as given -------------------------------------------------------------------------

function cellKey(row, column) {
  const cell = row.cells[column];
  if (cell.dataset.value === undefined) return cell.textContent;
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
}

function compareKeys(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return collator.compare(String(a), String(b));
}

function sortTable(table, given, column, direction) {
  const body = table.tBodies[0];
  if (direction === "none") {
    body.append(...given);
    return;
  }
  const sign = direction === "ascending" ? 1 : -1;
  const keyed = given.map((row, index) => ({ row, index, key: cellKey(row, column) }));
  keyed.sort((a, b) => {
    if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.index - b.index;
    return sign * compareKeys(a.key, b.key) || a.index - b.index;
  });
  body.append(...keyed.map((entry) => entry.row));
}

function makeSortable(table) {
  const given = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells];
  const next = { none: "ascending", ascending: "descending", descending: "none" };
  heads.forEach((head, column) => {
    head.setAttribute("aria-sort", "none");
    head.querySelector("button").addEventListener("click", () => {
      const direction = next[head.getAttribute("aria-sort")];
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", direction);
      sortTable(table, given, column, direction);
    });
  });
}

// -- copying: by the clipboard where the browser lets us, else by selecting, so that the keyboard does it ---------------

function selectText(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = window.getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

async function copyText(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return "Copied";
  } catch {
    selectText(element);
    let done = false;
    try {
      done = document.execCommand("copy");
    } catch {
      done = false;
    }
    return done ? "Copied" : "Selected: press Ctrl+C";
  }
}

function makeCopyable(box) {
  const button = box.querySelector("button.copy");
  const text = box.querySelector("pre");
  button.addEventListener("click", async () => {
    button.textContent = await copyText(text);
    setTimeout(() => { button.textContent = "Copy"; }, 2500);
  });
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
document.querySelectorAll(".copyable").forEach(makeCopyable);
