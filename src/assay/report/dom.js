"use strict";
const $ = (id) => document.getElementById(id);
const parse = (node) => JSON.parse(node.textContent);

/* Elements are built from nodes and text, never from strings of markup: a file may be called "<script>". */
function make(space, tag, attributes, children) {
  const [name, ...classes] = tag.split(".");
  const node = space ? document.createElementNS(space, name || "g") : document.createElement(name || "div");
  if (classes.length) node.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== ""));
  return node;
}
const h = (tag, attributes, ...children) => make(null, tag, attributes, children);
const s = (tag, attributes, ...children) => make("http://www.w3.org/2000/svg", tag, attributes, children);

const figure = (v) => {
  v = Number(v);
  if (!isFinite(v)) return v > 0 ? "∞" : "−∞";
  const text = Math.abs(v) >= 1000 ? Math.round(v).toLocaleString("en") : String(Number(v.toPrecision(4)));
  return text.replace("-", "−");
};
const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
const higher = (worst, best) => Number(best) > Number(worst);
const brand = () => h(".brand", {}, s("svg", { viewBox: "0 0 18 18", "aria-hidden": "true" },
  s("circle", { cx: 9, cy: 9, r: 7.5, fill: "none", stroke: "currentColor", "stroke-width": 2 }), s("circle", { cx: 9, cy: 9, r: 3, fill: "currentColor" })), "Assay");
