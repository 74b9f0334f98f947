// Draws the figures. They come with names of colours, which the styles give a light and a dark value.
// plotly.js offers to upload charts unless told otherwise.
const LOOK = { showSendToCloud: false, plotlyServerURL: "", displaylogo: false, responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  toImageButtonOptions: { format: "svg", filename: "labctl" } };

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

// A copy with every "$name" under a key that means a colour replaced; data arrays are shared, not copied.
function painted(value, key) {
  if (typeof value === "string") return /color$/i.test(key) && value.startsWith("$") ? colour(value.slice(1)) : value;
  if (Array.isArray(value)) return typeof value[0] === "object" ? value.map((v) => painted(v, key)) : value;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, painted(v, k)]));
}

const SIGNS = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
function plain(text) {
  return String(text).replace(/[&<>]/g, (sign) => SIGNS[sign]);
}

function cut(text, most) {
  return text.length > most ? text.slice(0, most - 1) + "…" : text;
}

function hover(row) {
  const lines = [`<b>${row.id}</b>  ${row.arm}${row.by ? " by " + plain(cut(row.by, 40)) : ""}`];
  if (row.feasibility !== undefined) lines.push(`chance of a sample ${percent(row.feasibility)}`);
  if (row.status === "failed") lines.push(`<b>${plain(row.kind)}</b> ${plain(cut(row.message || "", 60))}`);
  for (const o of DATA.objectives) {
    const value = row.values && row.values[o.name], known = row.bounds && row.bounds[o.name], expected = row.predicted && row.predicted[o.name];
    if (value === undefined && !known && !expected) continue;
    const result = known ? `<b>${plain(bound(known, o.unit))}</b>` : value === undefined ? "" : `<b>${withUnit(shown(value), o.unit)}</b>`;
    lines.push(`${plain(cut(o.name, 40))} ${result}` + (expected ? `  expected ${plusMinus(expected, "")}` : "")
      + ((row.broken || []).includes(o.name) ? "  <b>breaks its limit</b>" : ""));
  }
  const settings = row.actual || row.recipe;
  settings.slice(0, 8).forEach((value, i) => {
    if (value !== null) lines.push(`${plain(cut(DATA.parameters[i].name, 40))}  ${plain(cut(settingText(i, value), 40))}`);
  });
  if (DATA.parameters.length > 8) lines.push("…");
  return lines.join("<br>");
}

function axis(given) {
  const base = { gridcolor: colour("faint"), linecolor: colour("line"), zeroline: false, ticks: "outside", ticklen: 4,
    tickcolor: colour("line"), automargin: true, tickfont: { size: 12.5, color: colour("muted") } };
  const title = given.title ? { title: { standoff: 10, font: { size: 14 }, ...given.title } } : {};
  return { ...base, ...given, ...title, tickfont: { ...base.tickfont, ...given.tickfont } };
}

function layoutOf(given, small) {
  const layout = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest", dragmode: false,
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("ink") },
    margin: { l: 8, r: 10, t: small ? 8 : 14, b: 8 }, showlegend: false,
    hoverlabel: { bgcolor: colour("paper"), bordercolor: colour("line"), align: "left", font: { color: colour("ink"), size: 13 } }, ...given };
  for (const key of Object.keys(layout)) if (/^[xy]axis/.test(key)) layout[key] = axis(layout[key]);
  layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: colour("line"), activecolor: colour("muted") };
  if (small) delete layout.yaxis.title;
  return layout;
}

function draw(element) {
  const figure = DATA.figures[element.dataset.figure];
  const traces = painted(figure.data, "").map((trace) => trace.customdata
    ? { ...trace, hoverinfo: "text", hovertext: trace.customdata.map((i) => hover(DATA.rows[i])) } : trace);
  const small = element.classList.contains("small");
  element.dataset.drawn = "yes";
  Plotly.react(element, traces, layoutOf(painted(figure.layout, ""), small), { ...LOOK, displayModeBar: small ? false : "hover" }).then(() => {
    element.removeAllListeners("plotly_click");
    element.on("plotly_click", (event) => {
      const row = event.points[0] && event.points[0].customdata;
      if (row !== undefined) openRow(DATA.rows[row].id);
    });
  });
}

const PLOTS = [...document.querySelectorAll("[data-figure]")];
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting && !entry.target.dataset.drawn) draw(entry.target);
}, { rootMargin: "400px" });
PLOTS.forEach((element) => seen.observe(element));

function drawAll() {
  PLOTS.forEach(draw);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => PLOTS.filter((p) => p.dataset.drawn).forEach(draw));
addEventListener("beforeprint", drawAll);
addEventListener("afterprint", drawAll);
