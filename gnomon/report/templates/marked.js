// Marked texts: filters for the list of marks, and the mark that was followed stands out as a whole. Without this script
// the text, its marks and the links are all there. Nothing here makes markup from text.

const FILTERED_FROM = 2;

function make(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function tally(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) || 0) + 1);
  return counts;
}

class Passage {
  constructor(place) {
    this.rows = [...place.querySelectorAll(".mark-list li")];
    this.marks = this.rows.map((row) => ({
      row,
      kind: row.dataset.kind,
      label: row.querySelector("b").textContent,
      at: document.getElementById(row.querySelector("a").hash.slice(1)),
      parts: [],
    }));
    this.parts = [...place.querySelectorAll(".marked-text mark")].map((node) => ({
      node,
      over: node.dataset.marks.split(" ").map((number) => this.marks[Number(number)]),
    }));
    for (const part of this.parts) for (const mark of part.over) mark.parts.push(part.node);
    this.wanted = { label: null, kind: null };
    this.status = make("span", { class: "left", role: "status" });
    const controls = make("div", { class: "controls" });
    const picks = [this.picker("label", "Label"), this.picker("kind", "Kind")].filter(Boolean);
    if (!picks.length) return;
    controls.append(...picks, this.status);
    place.prepend(controls);
    this.show();
  }

  picker(field, title) {
    const counts = tally(this.marks.map((mark) => mark[field]));
    if (counts.size < FILTERED_FROM) return null;
    const names = [...counts.keys()];
    if (field === "label") names.sort((a, b) => a.localeCompare(b));
    const select = make("select", {}, make("option", { value: "all" }, `all ${field}s (${this.marks.length})`));
    names.forEach((name, index) => select.append(make("option", { value: index, dir: "auto" }, `${name} (${counts.get(name)})`)));
    select.addEventListener("change", () => {
      this.wanted[field] = select.value === "all" ? null : names[Number(select.value)];
      this.show();
    });
    return make("label", {}, make("span", {}, title), select);
  }

  matches(mark) {
    return Object.entries(this.wanted).every(([field, value]) => value === null || mark[field] === value);
  }

  // A part under several marks keeps the look of those that are left.
  show() {
    const left = new Set(this.marks.filter((mark) => this.matches(mark)));
    for (const mark of this.marks) {
      mark.row.hidden = !left.has(mark);
      mark.at.hidden = !left.has(mark);
    }
    for (const { node, over } of this.parts) {
      const kinds = new Set(over.filter((mark) => left.has(mark)).map((mark) => mark.kind));
      for (const kind of ["gold", "found", "both"]) node.classList.toggle(kind, kinds.has(kind));
    }
    this.status.textContent = `${left.size} of ${this.marks.length} marks`;
  }
}

const passages = [...document.querySelectorAll(".passage:not(.bare)")].map((place) => new Passage(place));

function follow() {
  const wanted = location.hash.slice(1);
  for (const passage of passages) {
    for (const { node } of passage.parts) node.classList.remove("on");
    const mark = passage.marks.find(({ at }) => at.id === wanted);
    if (mark) mark.parts.forEach((node) => node.classList.add("on"));
    for (const { row, at } of passage.marks) {
      if (at.id === wanted) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }
}

window.addEventListener("hashchange", follow);
if (location.hash) follow();
