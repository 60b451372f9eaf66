// Charts. Bundled behind Vega-Lite, so `vegaEmbed` is in scope. Data: the JSON in #charts, one specification an element id.
// `ast: true` makes Vega interpret expressions instead of compiling them, so the page needs no `unsafe-eval`.

const NARROW = 520;
const specs = JSON.parse(document.getElementById("charts").textContent);
const places = [...document.querySelectorAll("[data-chart]")];
const drawn = new Map();

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("role", "tooltip");
document.body.append(tip);

// Vega hands over a plain object of title and text; both are shown by textContent only.
function showTip(_handler, event, _item, value) {
  if (value === null || value === undefined || value === "") {
    tip.hidden = true;
    return;
  }
  const list = document.createElement("dl");
  for (const [name, text] of Object.entries(value)) {
    const term = document.createElement("dt");
    const detail = document.createElement("dd");
    term.textContent = name;
    detail.textContent = String(text);
    term.dir = detail.dir = "auto";
    list.append(term, detail);
  }
  tip.replaceChildren(list);
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = event.clientX + 14 + width > window.innerWidth ? event.clientX - width - 14 : event.clientX + 14;
  const top = event.clientY + 14 + height > window.innerHeight ? event.clientY - height - 14 : event.clientY + 14;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, top)}px`;
}

// A narrow page gets shorter labels and a legend of two columns, so that the plot keeps its room.
function fitted(spec, narrow) {
  const copy = JSON.parse(JSON.stringify(spec));
  if (narrow) {
    copy.config.legend.columns = 2;
    copy.config.legend.labelLimit = 130;
    for (const layer of copy.layer) {
      if (layer.encoding && layer.encoding.y && layer.encoding.y.axis) layer.encoding.y.axis.labelLimit = 146;
    }
  }
  return copy;
}

async function draw(place) {
  const narrow = place.clientWidth < NARROW;
  const before = drawn.get(place);
  if (before && before.narrow === narrow) return;
  if (before) before.result.finalize();
  try {
    const result = await vegaEmbed(place, fitted(specs[place.dataset.chart], narrow), {
      mode: "vega-lite",
      ast: true,
      actions: false,
      defaultStyle: false,
      renderer: "svg",
      tooltip: showTip,
    });
    drawn.set(place, { narrow, result });
    place.dataset.drawn = "yes";
  } catch (error) {
    place.textContent = `This chart could not be drawn: ${error.message}`;
    console.error(error);
  }
}

async function drawAll() {
  for (const place of places) await draw(place);
}

let waiting = 0;
window.addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(drawAll, 150);
});
window.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
drawAll();
