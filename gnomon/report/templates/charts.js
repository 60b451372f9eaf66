// Charts. Bundled behind Vega-Lite, so `vegaEmbed` is in scope. Data: the JSON in #charts, one specification an element id.
// `ast: true` makes Vega interpret expressions instead of compiling them, so the page needs no `unsafe-eval`.

const NARROW = 520, WIDE = 860;
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

// A narrow page gets shorter and fewer labels and a legend of two columns, so that the plot keeps its room; a wide one
// has room for more columns than the figure for a paper, which the specification describes.
function fitted(spec, size) {
  const copy = JSON.parse(JSON.stringify(spec));
  if (size === "narrow") {
    copy.config.legend.columns = 2;
    copy.config.legend.labelLimit = 130;
  }
  for (const { encoding = {} } of copy.layer) {
    for (const legend of [encoding.color, encoding.strokeDash].map((channel) => channel && channel.legend)) {
      if (legend) legend.columns = size === "narrow" ? Math.min(2, legend.columns) : Math.floor(legend.columns * (size === "wide" ? 1.8 : 1));
    }
    if (size !== "narrow") continue;
    if (encoding.y && encoding.y.axis) encoding.y.axis.labelLimit = 146;
    const named = encoding.x && encoding.x.axis && encoding.x.axis.values;
    if (named) encoding.x.axis.values = named.filter((_, at) => at % 2 === 0);
  }
  return copy;
}

function sizeOf(place) {
  return place.clientWidth < NARROW ? "narrow" : place.clientWidth < WIDE ? "plain" : "wide";
}

// Vega-Lite picks what is clicked in a legend, and lets go only at a click beside every mark. Here a second click on the
// same name lets go too, and so does one anywhere in the plot. With the shift key its own rule holds: several may be picked.
function letGo(view) {
  let kept = null;
  view.addEventListener("click", async (event, item) => {
    if (event.shiftKey) return;
    const role = item && item.mark ? item.mark.role : "";
    const inside = role === "legend-entry" ? item.items[0].items[0] : item;
    const name = role && role.startsWith("legend-") ? inside.datum.value : null;
    const free = name === null || name === kept;
    kept = free ? null : name;
    if (!free) return;
    await view.runAsync();
    await view.data("picked_store", []).runAsync();
  });
}

async function draw(place) {
  const size = sizeOf(place);
  const before = drawn.get(place);
  if (before && before.size === size) return;
  if (before) before.result.finalize();
  try {
    const result = await vegaEmbed(place, fitted(specs[place.dataset.chart], size), {
      mode: "vega-lite",
      ast: true,
      actions: false,
      defaultStyle: false,
      renderer: "svg",
      tooltip: showTip,
    });
    if ((specs[place.dataset.chart].params || []).some((one) => one.name === "picked")) letGo(result.view);
    drawn.set(place, { size, result });
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
