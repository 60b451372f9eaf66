// The sample browser: filters with counts, subset, search, pages; a sample's inside is built when it is first opened.
// Every text comes from data sets and models, so it enters the page through textContent and nothing else.

const PAGE = 25;
const ORDER = ["right", "wrong", "unparsed", "refused", "truncated", "error", "timeout", "ungraded"];
const LINE = 200;
const HEAD_LINES = 30;
const HEAD_CHARACTERS = 3000;
const GOOD = new Set(["right", "correct", "pass", "passed", "ok", "yes"]);
const BAD = new Set(["wrong", "incorrect", "fail", "failed", "error", "timeout", "no"]);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

const number = new Intl.NumberFormat("en-US");
const oneLine = (text) => text.slice(0, LINE).replace(/\s+/g, " ").trim();

// -- one sample ---------------------------------------------------------------------------------------------------------

// How long each score's bar is, from 0 to 1. Scores within [0, 1] are shown as they are; log-probabilities (none above 0) as
// likelihoods relative to the best; anything else by size.
function barLengths(values) {
  if (values.every((value) => value >= 0 && value <= 1)) return { lengths: values, meaning: "" };
  const most = Math.max(...values);
  if (most <= 0) {
    return { lengths: values.map((value) => Math.exp(value - most)), meaning: "Bars: exp(score − best score)." };
  }
  const size = Math.max(...values.map(Math.abs));
  return { lengths: values.map((value) => Math.abs(value) / size), meaning: "Bars: size of the score." };
}

function scoreRow([name, value], length, best, sample) {
  const bar = svg("svg", { class: "bar", height: 10, "aria-hidden": "true", focusable: "false" },
    svg("rect", { class: "bar-track", width: "100%", height: 10, rx: 2 }),
    svg("rect", { class: "bar-fill", width: `${(100 * length).toFixed(2)}%`, height: 10, rx: 2 }));
  const label = element("th", { scope: "row", dir: "auto" }, name);
  const tags = element("td", { class: "tags" });
  if (name === sample.target) tags.append(element("span", { class: "tag target" }, "target"));
  if (name === sample.answer) tags.append(element("span", { class: "tag" }, "answer"));
  return element("tr", { class: best ? "best" : null }, label, element("td", { class: "bar-cell" }, bar),
    element("td", { class: "num" }, String(value)), tags);
}

function scoresPart(sample) {
  const values = sample.scores.map(([, value]) => value);
  const { lengths, meaning } = barLengths(values);
  const best = Math.max(...values);
  const rows = sample.scores.map((score, index) => scoreRow(score, lengths[index], score[1] === best, sample));
  const part = element("div", { class: "field" }, element("h4", {}, "Scores"),
    element("table", { class: "scores" }, element("tbody", {}, ...rows)));
  const remarks = [meaning, sample.omitted ? `${number.format(sample.omitted)} more scores are in records.jsonl.` : ""];
  const remark = remarks.filter(Boolean).join(" ");
  if (remark) part.append(element("p", { class: "caption" }, remark));
  return part;
}

// The first lines of a long text, cut at a line's end where that costs little; the text itself where it is short.
function headOf(text) {
  let end = -1;
  for (let line = 0; line < HEAD_LINES; line += 1) {
    const next = text.indexOf("\n", end + 1);
    if (next === -1 || next > HEAD_CHARACTERS) break;
    end = next;
    if (line === HEAD_LINES - 1) return text.length - end < 400 ? text : text.slice(0, end);
  }
  if (text.length <= HEAD_CHARACTERS + 400) return text;
  return text.slice(0, end > HEAD_CHARACTERS / 2 ? end : HEAD_CHARACTERS);
}

// A long text starts with its head; the rest is not laid out before a reader asks for it.
function textPart(title, text) {
  const field = element("div", { class: "field" }, element("h4", {}, title));
  if (text === "") {
    field.append(element("p", { class: "empty" }, "empty"));
    return field;
  }
  const head = headOf(text);
  const shown = element("pre", { dir: "auto", tabindex: 0, role: "region", "aria-label": title }, head);
  field.append(shown);
  if (head !== text) {
    const lines = text.replace(/\n$/, "").split("\n").length;
    const size = lines > HEAD_LINES ? `${number.format(lines)} lines` : `${number.format(text.length)} characters`;
    const more = element("button", { type: "button", class: "more", "aria-expanded": "false" }, `Show more (${size})`);
    more.addEventListener("click", () => {
      const opened = more.getAttribute("aria-expanded") === "false";
      more.setAttribute("aria-expanded", String(opened));
      more.textContent = opened ? "Show less" : `Show more (${size})`;
      shown.textContent = opened ? text : head;
      shown.classList.toggle("whole", opened);
      shown.scrollTop = 0;
    });
    field.append(more);
  }
  return field;
}

function verdictsPart(sample) {
  const tags = sample.verdicts.map(([name, verdict]) => {
    const word = verdict.trim().toLowerCase();
    const look = GOOD.has(word) ? " good" : BAD.has(word) ? " bad" : "";
    return element("li", { class: `verdict${look}` }, element("bdi", {}, name), " ", element("b", { dir: "auto" }, verdict));
  });
  if (sample.unsaid) tags.push(element("li", {}, `and ${number.format(sample.unsaid)} more in records.jsonl`));
  return element("div", { class: "field" }, element("h4", {}, "Verdicts"), element("ul", { class: "verdicts" }, ...tags));
}

function inside(sample) {
  const graded = { true: "yes", false: "no", null: "not graded" }[String(sample.correct)];
  const facts = element("p", { class: "caption" }, "id ", element("bdi", { class: "id" }, sample.id),
    ` · status ${sample.status} · correct: ${graded}`);
  const body = element("div", { class: "inside" }, textPart("Prompt", sample.prompt),
    element("div", { class: "pair" }, textPart("Answer", sample.answer), textPart("Target", sample.target)));
  if (sample.verdicts) body.append(verdictsPart(sample));
  if (sample.scores) body.append(scoresPart(sample));
  body.append(facts);
  return body;
}

function sampleItem(sample, withSubset) {
  const answer = sample.answer === "" ? element("i", {}, "empty") : oneLine(sample.answer);
  const summary = element("summary", {},
    element("span", { class: `badge ${sample.outcome}` }, sample.outcome),
    element("span", { class: "line", dir: "auto" }, oneLine(sample.prompt) || sample.id),
    element("span", { class: "given" }, element("bdi", { class: "said" }, answer),
      element("span", { class: "faint wanted" }, "target ", element("bdi", {}, oneLine(sample.target)))));
  if (withSubset) summary.append(element("span", { class: "subset faint", dir: "auto" }, sample.subset));
  const details = element("details", { class: "sample" }, summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(inside(sample));
  });
  return details;
}

// -- the browser --------------------------------------------------------------------------------------------------------

function counted(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) || 0) + 1);
  return counts;
}

class Browser {
  constructor(place, samples) {
    this.samples = samples;
    this.outcome = "all";
    this.subset = null;
    this.query = "";
    this.differing = false;
    this.page = 0;
    this.subsets = counted(samples.map((sample) => sample.subset));
    this.haystacks = new Map();
    this.build(place);
    this.show();
  }

  build(place) {
    const present = counted(this.samples.map((sample) => sample.outcome));
    const graded = ["right", "wrong", "unparsed"].some((outcome) => present.has(outcome));
    const shown = ORDER.filter((outcome, index) => present.has(outcome) || (graded && index < 3));
    this.filters = new Map(["all", ...shown].map((outcome) => [outcome, this.filterButton(outcome)]));
    this.list = element("div", { class: "sample-list" });
    this.range = element("span", { class: "range", role: "status" });
    this.back = this.stepButton("Previous", -1);
    this.forth = this.stepButton("Next", 1);
    const controls = element("div", { class: "controls" });
    if (this.subsets.size > 1) controls.append(this.subsetSelect());
    controls.append(this.searchInput());
    if (this.samples.some((sample) => sample.differ)) controls.append(this.differBox());
    place.append(
      element("div", { class: "filters", role: "group", "aria-label": "Outcome" }, ...this.filters.values()),
      controls, this.list, element("div", { class: "pager" }, this.back, this.range, this.forth));
  }

  filterButton(outcome) {
    const button = element("button", { type: "button", class: `filter ${outcome}`, "data-outcome": outcome });
    button.append(element("span", {}, outcome), " ", element("span", { class: "count" }));
    button.addEventListener("click", () => this.change({ outcome }));
    return button;
  }

  stepButton(label, step) {
    const button = element("button", { type: "button" }, label);
    button.addEventListener("click", () => {
      this.page += step;
      this.show();
      this.list.scrollIntoView({ block: "nearest" });
    });
    return button;
  }

  subsetSelect() {
    const select = element("select", {}, element("option", { value: "all" }, `all subsets (${number.format(this.samples.length)})`));
    const names = [...this.subsets.keys()];
    names.forEach((name, index) => {
      select.append(element("option", { value: index, dir: "auto" }, `${name || "(none)"} (${number.format(this.subsets.get(name))})`));
    });
    select.addEventListener("change", () => this.change({ subset: select.value === "all" ? null : names[Number(select.value)] }));
    return element("label", {}, element("span", {}, "Subset"), select);
  }

  differBox() {
    const input = element("input", { type: "checkbox" });
    const count = this.samples.filter((sample) => sample.differ).length;
    input.addEventListener("change", () => this.change({ differing: input.checked }));
    return element("label", { class: "differ" }, input, element("span", {}, `verdicts differ (${number.format(count)})`));
  }

  searchInput() {
    const input = element("input", { type: "search", placeholder: "in prompt, answer, target, id", spellcheck: "false" });
    let waiting = 0;
    input.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.change({ query: input.value.toLowerCase() }), 120);
    });
    return element("label", { class: "search" }, element("span", {}, "Search"), input);
  }

  change(wanted) {
    Object.assign(this, wanted, { page: 0 });
    this.show();
  }

  haystack(sample) {
    if (!this.haystacks.has(sample)) {
      const parts = [sample.id, sample.subset, sample.prompt, sample.answer, sample.target];
      this.haystacks.set(sample, parts.join("\n").toLowerCase());
    }
    return this.haystacks.get(sample);
  }

  // Counts on the filters are of what subset, search and the box leave, so they say what a click would show.
  show() {
    const left = this.samples.filter((sample) =>
      (this.subset === null || sample.subset === this.subset) && (!this.differing || sample.differ) && (!this.query || this.haystack(sample).includes(this.query)));
    const counts = counted(left.map((sample) => sample.outcome));
    for (const [outcome, button] of this.filters) {
      button.querySelector(".count").textContent = number.format(outcome === "all" ? left.length : counts.get(outcome) || 0);
      button.setAttribute("aria-pressed", String(outcome === this.outcome));
    }
    const chosen = this.outcome === "all" ? left : left.filter((sample) => sample.outcome === this.outcome);
    const pages = Math.max(1, Math.ceil(chosen.length / PAGE));
    this.page = Math.min(Math.max(this.page, 0), pages - 1);
    const start = this.page * PAGE;
    const page = chosen.slice(start, start + PAGE);
    this.list.replaceChildren(...page.map((sample) => sampleItem(sample, this.subsets.size > 1)));
    if (!page.length) this.list.append(element("p", { class: "empty" }, "No sample matches."));
    const ends = page.length ? `${number.format(start + 1)}–${number.format(start + page.length)}` : "0";
    this.range.textContent = `${ends} of ${number.format(chosen.length)}`;
    this.back.disabled = this.page === 0;
    this.forth.disabled = this.page === pages - 1;
  }
}

for (const place of document.querySelectorAll("[data-samples]")) {
  new Browser(place, JSON.parse(document.getElementById(`${place.dataset.samples}-data`).textContent));
}
