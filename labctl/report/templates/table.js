// The table of all experiments: sorted, filtered and cut into pages here, so that thousands of rows stay quick.
const PER_PAGE = 50;
const view = { rows: DATA.rows, page: 0, sort: "n", down: false, open: new Set() };
const values = DATA.objectives;

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) if (value !== undefined) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

// What else a result needs: further goals, and quantities that have limits.
const OTHERS = values.filter((o) => o.needed && o.name !== DATA.goal).slice(0, 5);

function limited(row, o) {
  const text = shown(row.values[o.name]);
  if (row.by) return element("span", { class: "aside", title: `read by ${row.by}, no result of the goal` }, text);
  return (row.broken || []).includes(o.name) ? element("span", { class: "bad", title: "breaks its limit" }, text) : text;
}

const COLUMNS = [
  { key: "n", head: "id", of: (r) => r.n, cell: (r) => opener(r) },
  { key: "arm", head: "arm", of: (r) => r.arm, cell: (r) => element("span", { class: `chip ${r.arm}` }, element("i", {}, r.by ? `${r.arm} by ${r.by}` : r.arm)) },
  ...DATA.inTable.map((i) => ({ key: `p${i}`, head: DATA.parameters[i].name, unit: DATA.parameters[i].unit,
    number: DATA.parameters[i].numeric, of: (r) => r.recipe[i], cell: (r) => shown(r.recipe[i]) })),
  ...(DATA.rows.some((r) => r.feasibility !== undefined) ? [{ key: "chance", head: "chance of a sample", number: true, of: (r) => r.feasibility,
    cell: (r) => r.feasibility === undefined ? "" : percent(r.feasibility) }] : []),
  { key: "predicted", head: "predicted", unit: withUnit("± 1 sd", GOAL.unit), number: true,
    of: (r) => r.predicted && r.predicted[DATA.goal] && r.predicted[DATA.goal][0],
    cell: (r) => plusMinus(r.predicted && r.predicted[DATA.goal], "") },
  { key: "result", head: DATA.goal, unit: GOAL.unit, number: true, of: (r) => r.status === "measured" ? r.values[DATA.goal] : undefined,
    cell: (r) => r.status === "measured" ? limited(r, GOAL) : element("span", { class: r.status === "failed" ? "bad" : "" }, outcomeOf(r)) },
  ...OTHERS.map((o) => ({ key: `o${o.name}`, head: o.name, unit: o.unit, number: true, of: (r) => r.status === "measured" ? r.values[o.name] : undefined,
    cell: (r) => r.status === "measured" ? limited(r, o) : "" })),
  { key: "z", head: "surprise", unit: "sd", number: true, of: (r) => r.z, cell: (r) => r.z === undefined ? "" : (r.z > 0 ? "+" : "") + r.z.toFixed(1).replace("-", "−") },
  { key: "said", head: "why, or what happened", text: true, of: (r) => r.message || r.because, cell: (r) => element("div", { class: "two-lines" }, r.message || r.because) },
];

function opener(row) {
  const button = element("button", { class: "unfold", "aria-expanded": view.open.has(row.id) }, row.id);
  button.addEventListener("click", () => { view.open.delete(row.id) || view.open.add(row.id); show(); });
  return button;
}

function simpleTable(heads, rows) {
  return element("table", {}, element("thead", {}, element("tr", {}, ...heads.map((h) => element("th", {}, h)))),
    element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((c) => element("td", {}, c))))));
}

function bound([low, high], unit) {
  if (low === null) return `at most ${withUnit(shown(high), unit)}`;
  return high === null ? `at least ${withUnit(shown(low), unit)}` : `${shown(low)} to ${withUnit(shown(high), unit)}`;
}

function details(row) {
  const box = element("td", { colspan: COLUMNS.length });
  const say = (...text) => box.append(element("p", {}, ...text));
  const parts = element("div", { class: "parts" });
  const part = (title, ...content) => parts.append(element("div", {}, element("h3", {}, title), ...content));
  say(element("b", {}, row.arm + ": "), row.because);
  if (row.evidence) say("shares of the arms by evidence: ", row.evidence);
  if (row.status === "failed") say(element("span", { class: "bad" }, row.kind), row.stage ? ` during ${row.stage}` : "", row.message ? `: ${row.message}` : "");
  if (row.surprise) say(element("b", {}, "surprising: "), row.surprise);
  if (row.broken) say(element("b", {}, "no success: "), `${row.broken.join(" and ")} outside the limits`);
  if (row.by) say("measured by: ", row.by, ", which is no result of the goal");
  if (row.feasibility !== undefined) say("chance of a sample, as expected before: ", percent(row.feasibility));
  if (row.domain) say("where: ", row.domain);
  if (row.widened) say(`its prediction was written ${shown(row.widened)} times as wide as the surrogate said, because earlier ones had missed too often`);
  for (const before of row.earlier || []) say("an earlier attempt: ", before);
  if (row.decision) say(`${row.decision[0]} by ${row.decision[1]}`, row.decision[2] ? `: ${row.decision[2]}` : "");
  const of = values.map((o) => [o.name, plusMinus(row.predicted && row.predicted[o.name], o.unit),
    row.values && row.values[o.name] !== undefined ? withUnit(shown(row.values[o.name]), o.unit) + (row.status === "failed" && !row.bounds ? " (no result)" : "")
      : row.bounds && row.bounds[o.name] ? bound(row.bounds[o.name], o.unit) : ""]);
  box.append(parts);
  part("Expected, and found", simpleTable(["", "predicted ± 1 sd", "measured"], of));
  const settings = DATA.parameters.map((p, i) => [p.name, settingText(i, row.recipe[i]), row.actual ? settingText(i, row.actual[i]) : ""]);
  part("Recipe", simpleTable(["", "asked for", row.actual ? "reached" : ""], settings));
  if (row.alternatives) {
    const heads = ["", ...DATA.inTable.map((i) => DATA.parameters[i].name), `predicted ${DATA.goal}`, row.acquisition || "score"];
    const line = (name, recipe, predicted, score) => [name, ...DATA.inTable.map((i) => settingText(i, recipe[i])), plusMinus(predicted, GOAL.unit), shown(score)];
    part("Strongest alternatives not chosen", element("div", { class: "scroll" }, simpleTable(heads, [
      line("chosen", row.recipe, row.predicted && row.predicted[DATA.goal], row.value),
      ...row.alternatives.map(([recipe, score, predicted], i) => line(String(i + 1), recipe, predicted, score))])));
  }
  const facts = [["proposed", row.at.slice(0, 19).replace("T", " ") + " UTC"], ["surrogate", row.surrogate], ["data", row.data], ["result from", row.source],
    ["attempts", row.attempts > 1 ? String(row.attempts) : ""], ["took", row.seconds === undefined ? "" : shown(row.seconds) + " s"]].filter(([, fact]) => fact);
  part("Record", element("p", {}, facts.map(([name, fact]) => `${name} ${fact}`).join(" · ")));
  if (row.raw) part("What the instrument said besides", element("code", {}, row.raw));
  return element("tr", { class: "details" }, box);
}

// A long_name_of_a_setting may go over several lines, broken where its words end.
function breakable(name) {
  return name.split(/(?<=[_/])/).flatMap((word) => [word, element("wbr")]);
}

function heads() {
  const cells = COLUMNS.map((column) => {
    const button = element("button", { type: "button" }, ...breakable(column.head), element("small", {}, column.unit || " "));
    button.addEventListener("click", () => { view.down = view.sort === column.key && !view.down; view.sort = column.key; view.page = 0; show(); });
    return element("th", { class: column.number ? "n" : undefined, scope: "col",
      "aria-sort": view.sort === column.key ? (view.down ? "descending" : "ascending") : undefined }, button);
  });
  document.querySelector("#table thead").replaceChildren(element("tr", {}, ...cells));
}

const haystack = new Map();
function text(row) {
  if (!haystack.has(row.id)) haystack.set(row.id, [row.id, row.arm, row.by, outcomeOf(row), row.because, row.message, row.source, ...row.recipe].join(" ").toLowerCase());
  return haystack.get(row.id);
}

function chosen() {
  const find = document.getElementById("find").value.trim().toLowerCase();
  const arm = document.getElementById("by-arm").value, outcome = document.getElementById("by-outcome").value;
  const rows = DATA.rows.filter((r) => (!arm || r.arm === arm) && (!outcome || outcomeOf(r) === outcome) && (!find || text(r).includes(find)));
  const column = COLUMNS.find((c) => c.key === view.sort), way = view.down ? -1 : 1;
  const empty = (v) => v === undefined || v === null;
  return rows.sort((a, b) => {
    const [x, y] = [column.of(a), column.of(b)];
    if (empty(x) || empty(y)) return empty(x) - empty(y) || a.n - b.n;  // what has no value stays below, whichever way
    return way * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y))) || a.n - b.n;
  });
}

function show(everything) {
  heads();
  view.rows = chosen();
  const pages = Math.max(1, Math.ceil(view.rows.length / PER_PAGE));
  view.page = Math.min(view.page, pages - 1);
  const some = everything ? view.rows : view.rows.slice(view.page * PER_PAGE, (view.page + 1) * PER_PAGE);
  const body = document.querySelector("#table tbody");
  body.replaceChildren(...some.flatMap((row) => {
    const cells = COLUMNS.map((c) => element("td", { class: c.number ? "n" : c.text ? "text" : undefined }, c.cell(row)));
    const line = element("tr", { class: row.id === DATA.best ? "row top" : "row", id: row.id }, ...cells);
    return view.open.has(row.id) ? [line, details(row)] : [line];
  }));
  if (!some.length) body.append(element("tr", {}, element("td", { colspan: COLUMNS.length }, DATA.rows.length ? "No experiment fits." : "No experiment has been proposed yet.")));
  document.getElementById("count").textContent = view.rows.length === DATA.rows.length ? `${DATA.rows.length} experiments` : `${view.rows.length} of ${DATA.rows.length}`;
  const turn = (label, by, off) => { const b = element("button", { type: "button" }, label); b.disabled = off; b.addEventListener("click", () => { view.page += by; show(); }); return b; };
  document.getElementById("pages").replaceChildren(...(pages < 2 ? [] : [turn("Earlier", -1, view.page === 0), element("span", {}, `page ${view.page + 1} of ${pages}`), turn("Later", 1, view.page === pages - 1)]));
}

function openRow(id) {
  for (const control of ["find", "by-arm", "by-outcome"]) document.getElementById(control).value = "";
  view.open.add(id);
  view.page = Math.floor(chosen().findIndex((r) => r.id === id) / PER_PAGE);
  show();
  document.getElementById(id).scrollIntoView({ block: "center" });
}

function choicesIn(control, of) {
  const found = [...new Set(DATA.rows.map(of))].sort();
  document.getElementById(control).append(...found.map((value) => element("option", { value }, value)));
}
choicesIn("by-arm", (r) => r.arm);
choicesIn("by-outcome", outcomeOf);
for (const control of ["find", "by-arm", "by-outcome"]) document.getElementById(control).addEventListener("input", () => { view.page = 0; show(); });
for (const link of document.querySelectorAll("[data-open]")) link.addEventListener("click", (event) => { event.preventDefault(); openRow(link.dataset.open); });
addEventListener("beforeprint", () => DATA.rows.length <= 400 && show(true));
addEventListener("afterprint", () => show());
show();
if (DATA.rows.some((row) => "#" + row.id === location.hash)) openRow(location.hash.slice(1));
