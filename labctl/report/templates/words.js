"use strict";
// Shared by charts and table: the page's data, and how numbers look.
const DATA = JSON.parse(document.getElementById("data").textContent);

function shown(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-4)) return value.toExponential(3).replaceAll("-", "−");
  const digits = size >= 1000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 4 };
  return value.toLocaleString("en", digits).replace("-", "−");
}

function withUnit(text, unit) {
  return unit ? `${text} ${unit}` : text;
}

function outcomeOf(row) {
  return row.status === "failed" ? row.kind : row.status;
}

function settingText(i, value) {
  return withUnit(shown(value), value === null ? "" : DATA.parameters[i].unit);
}

function plusMinus(predicted, unit) {
  return predicted ? withUnit(`${shown(predicted[0])} ± ${shown(predicted[1])}`, unit) : "";
}

function percent(share) {
  if (share > 0 && share < .01) return "below 1 %";
  return share < 1 && share > .99 ? "above 99 %" : `${Math.round(100 * share)} %`;
}

const GOAL = DATA.objectives.find((o) => o.name === DATA.goal);
