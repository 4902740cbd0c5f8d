const data = parse($("data"));
const { photos, metrics, bank } = data;
let photo = 0;

const mean = (list) => { const known = list.filter((v) => v !== null && v !== undefined); return known.length ? known.reduce((a, b) => a + b, 0) / known.length : null; };
const caption = (d, level) => {
  const v = figure(level);
  if (d.unit === "quality" || !d.unit) return `${d.knob} ${v}`;
  if (d.unit === "×") return `${v}×`;
  if (d.unit === "8-bit steps") return `${v} of 255`;
  return d.unit.startsWith(":") ? `${v}${d.unit.replace(":", " :")}` : `${v} ${d.unit}`;
};
const readable = (name) => name.replaceAll("_", " ");
const after = (m) => { const bare = m.says.toLowerCase().startsWith(`${m.name.toLowerCase()}: `) ? m.says.slice(m.name.length + 2) : m.says; return bare.slice(0, 1).toUpperCase() + bare.slice(1); };
/* of a metric under a degradation, over the photographs: how far the score falls, and whether step by step */
const over = (d, m, what) => mean((d.scores[m.name] || []).map((e) => e && e[what]));
const curve = (d, m) => d.levels.concat(0).map((_, i) => mean((d.scores[m.name] || []).map((e) => e && e.good[i])));

/* ---- the bank ---- */

function strip(d) {
  const title = h("h3", {}, readable(d.name));
  const row = h(".strip", {}, d.pictures[photo].map((src, i) => h("figure", {}, h("img", { src, alt: `${readable(d.name)}, ${caption(d, d.levels[i])}`, loading: "lazy" }), h("figcaption", {}, caption(d, d.levels[i])))));
  return h("button.damage", { type: "button", onclick: () => open(d) }, title, h("p", {}, d.says), row);
}

function wall() {
  const grid = h(".wall", {}), chosen = h(".photos", { role: "group", "aria-label": "Photograph" });
  const draw = () => {
    for (const [i, b] of [...chosen.children].entries()) b.setAttribute("aria-pressed", i === photo);
    grid.replaceChildren(...bank.map(strip));
  };
  chosen.append(...photos.map((p, i) => h("button", { type: "button", title: p.name, onclick: () => { photo = i; draw(); } }, h("img", { src: p.fresh, alt: p.name }))));
  draw();
  return [photos.length > 1 && chosen, grid];
}

/* ---- metric × degradation ---- */

const VIEWS = {
  drop: ["How far it falls", "From the fresh picture to the severest level, as a share of the way from good to poor. Empty: no change. Orange: the score rises instead."],
  order: ["Does it fall step by step", "Kendall's τ between damage and loss: full colour where every level scores worse than the one before. Orange: better."],
};
let view = "drop", marked = null;

function heat() {
  const by = (list, value) => [...list].sort((a, b) => value(b) - value(a));
  const total = new Map(bank.map((d) => [d, mean(metrics.map((m) => over(d, m, "drop"))) ?? 0]));
  const columns = by(bank, (d) => total.get(d));
  const weight = new Map(metrics.map((m) => [m, mean(bank.map((d) => over(d, m, "drop"))) ?? 0]));
  const groups = [["With the fresh picture as reference", metrics.filter((m) => m.pair)], ["On the damaged picture alone", metrics.filter((m) => !m.pair)]].filter(([, list]) => list.length);
  const says = h("p.soft", {}), table = h("table.heat", {}), tip = h("p.tip", { "aria-live": "polite" });
  const chips = h(".chips", { role: "group", "aria-label": "What the table shows" });
  const rest = "Point at a cell for its numbers; click it for the pictures. Rows and columns run from most to least affected.";
  const cell = (d, m) => {
    const v = over(d, m, view);
    const td = h("td", {}, h("button", { type: "button", tabindex: -1, "aria-label": `${m.name}, ${readable(d.name)}: ${v === null ? "no answer" : figure(v)}`, onclick: () => open(d, m) }));
    if (v === null) td.className = "none";
    else shade(td.firstChild, v);
    td.onmouseenter = () => { tip.replaceChildren(h("b", {}, m.name), ` under `, h("b", {}, readable(d.name)), `: `, v === null ? "no answer" : view === "drop" ? `${v < 0 ? "rises" : "falls"} by ${Math.round(100 * Math.abs(v))} % of the way from good to poor` : `τ ${figure(Number(v.toFixed(2)))}`, ". ", told(d, m)); cross(d, m); };
    td.dataset.d = d.name; td.dataset.m = m.name;
    return td;
  };
  const cross = (d, m) => { for (const th of table.querySelectorAll("th")) th.classList.toggle("on", th.dataset.n === d?.name || th.dataset.n === m?.name); };
  table.onmouseleave = () => { tip.replaceChildren(rest); cross(); };
  const draw = () => {
    for (const [i, b] of [...chips.children].entries()) b.setAttribute("aria-pressed", Object.keys(VIEWS)[i] === view);
    says.replaceChildren(VIEWS[view][1]);
    tip.replaceChildren(rest);
    table.replaceChildren(h("thead", {}, h("tr", {}, h("td", {}), columns.map((d) => h("th.column", { scope: "col", "data-n": d.name }, h("button", { type: "button", onclick: () => open(d) }, readable(d.name)))))),
      ...groups.map(([title, list]) => h("tbody", {}, h("tr.group", {}, h("th", { colspan: columns.length + 1 }, title)),
        by(list, (m) => weight.get(m)).map((m) => h("tr", {}, h("th", { scope: "row", title: m.says, "data-n": m.name }, m.name), columns.map((d) => cell(d, m)))))));
  };
  chips.append(...Object.entries(VIEWS).map(([key, [title]]) => h("button", { type: "button", onclick: () => { view = key; draw(); } }, title)));
  draw();
  const legend = h(".key", {}, "rises", h("i"), "falls all the way");
  return [h(".tools", {}, chips, legend), says, h(".scroll", {}, table), tip];
}

function told(d, m) {
  const first = d.scores[m.name]?.[photo]?.values;
  return first ? `On ${photos[photo].name}: ${first.map((v) => (v === null ? "–" : figure(v))).join(", ")}${m.unit ? ` ${m.unit}` : ""}.` : "";
}

function shade(node, v) {
  node.style.setProperty("--v", `${Math.round(100 * Math.min(1, Math.abs(v)))}%`);
  node.classList.toggle("up", v < -0.02);
}

/* ---- curves ---- */

function chart(m, focus) {
  const W = 200, H = 96, x = (i, n) => 4 + (i / n) * (W - 8), y = (g) => 6 + (1 - g) * (H - 12);
  const path = (d) => { let pen = "M"; return curve(d, m).map((g, i, all) => { if (g === null) { pen = "M"; return ""; } const at = `${pen}${x(i, all.length - 1).toFixed(1)} ${y(g).toFixed(1)}`; pen = "L"; return at; }).join(""); };
  const lines = bank.map((d) => s(`path${d === focus ? ".focus" : ""}`, { d: path(d) }, s("title", {}, readable(d.name))));
  lines.sort((a, b) => a.classList.contains("focus") - b.classList.contains("focus"));
  const v = focus && over(focus, m, "drop");
  const points = Math.round(100 * Math.abs(v ?? 0));
  const fall = v === null || v === undefined ? "no answer" : points ? `${v < 0 ? "+" : "−"}${points} %` : "0 %";
  return h("figure.chart", { title: after(m) }, h("figcaption", {}, h("b", {}, m.name), h("span", {}, fall)),
    s("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${m.name} under ${focus ? readable(focus.name) : "all"}: ${fall}` },
      s("line", { x1: 0, x2: W, y1: y(1), y2: y(1) }), s("line", { x1: 0, x2: W, y1: y(0), y2: y(0) }), lines));
}

function curves() {
  let focus = bank.find((d) => d.name === "gaussian_blur") || bank[0];
  const grid = h(".charts", {}), says = h("p.soft", {});
  const select = h("select", { "aria-label": "Degradation", onchange: () => { focus = bank.find((d) => d.name === select.value); draw(); } }, bank.map((d) => h("option", { value: d.name, selected: d === focus }, readable(d.name))));
  const draw = () => {
    says.replaceChildren(`${focus.says} Levels: ${focus.levels.map((l) => caption(focus, l)).join(", ")}.`);
    grid.replaceChildren(...metrics.map((m) => chart(m, focus)));
  };
  draw();
  return [h(".tools", {}, h("label", {}, "Under ", select), h("span.soft", {}, "top line good, bottom line poor; from fresh on the left to severest on the right")), says, grid];
}

/* ---- one degradation ---- */

function open(d, asked) {
  const dialog = $("dialog"), at = bank.indexOf(d);
  const go = (step) => h("button", { type: "button", "aria-label": step < 0 ? "Previous" : "Next", disabled: !bank[at + step], onclick: () => open(bank[at + step], asked) }, step < 0 ? "←" : "→");
  const p = photos[photo], all = [[p.fresh, "fresh"], ...d.pictures[photo].map((src, i) => [src, caption(d, d.levels[i])])];
  const heads = ["fresh", ...d.levels.map((l) => caption(d, l))];
  const row = (m) => {
    const entry = d.scores[m.name]?.[photo];
    return h("tr", { "data-m": m.name }, h("th", { scope: "row", title: after(m) }, m.name, m.unit && h("small", {}, ` ${m.unit}`)), h("td.way", {}, higher(m.worst, m.best) ? "↑" : "↓"),
      heads.map((_, i) => { const v = entry?.values[i], td = h("td", {}, v === null || v === undefined ? "–" : figure(v)); if (entry && entry.good[i] !== null && v !== null) { td.style.setProperty("--v", `${Math.round(100 * (1 - entry.good[i]))}%`); td.classList.add("lost"); } return td; }));
  };
  dialog.replaceChildren(h(".steer", {}, h("span", {}, `${at + 1} of ${bank.length}`), go(-1), go(1), h("button", { type: "button", onclick: () => dialog.close() }, "Close")),
    h(".inside", {}, h("h1", {}, readable(d.name)), h("p.lead", {}, d.says),
      h(".large", {}, all.map(([src, text]) => h("figure", {}, h("img", { src, alt: text, width: p.size[0], height: p.size[1] }), h("figcaption", {}, text)))),
      h("section.panel", {}, h("h2", {}, `Every score on ${p.name}; ↑ higher is better, ↓ lower is better; the deeper the colour, the nearer to poor`),
        h(".scroll", {}, h("table.numbers", {}, h("thead", {}, h("tr", {}, h("td", {}), h("td", {}), heads.map((t) => h("th", { scope: "col" }, t)))),
          h("tbody", {}, metrics.map(row)))))));
  document.body.classList.add("open");
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  const hit = asked && dialog.querySelector(`tr[data-m="${CSS.escape(asked.name)}"]`);
  if (hit) { hit.classList.add("on"); hit.scrollIntoView({ block: "center" }); }
}

function start() {
  const levels = bank.reduce((n, d) => n + d.levels.length, 0), section = (title, lead, ...rest) => h("section.part", {}, h("h2.title", {}, title), h("p.lead", {}, lead), ...rest);
  $("footer").append(`Made by Assay ${data.assay}. This page is complete in itself: it loads nothing and sends nothing.`);
  $("main").replaceChildren(brand(), h("h1", {}, "What damage does to a picture, and to its scores"),
    h("p.brief", {}, `${plural(bank.length, "degradation")} at ${plural(levels, "level")} in physical units, on ${plural(photos.length, "photograph")}, judged by ${plural(metrics.length, "metric")}. Scores lie on one scale: from good to poor, as each metric's card has it.`),
    section("The bank", "From hardly visible to severe. Click one to see its pictures large, with every score.", wall()),
    section("What each metric notices", "A row is a metric, a column a degradation; means over the photographs.", h(".panel", {}, heat())),
    section("Score against level", "Every line is a degradation; the dark one is chosen here.", h(".panel", {}, curves())));
  const dialog = $("dialog");
  dialog.addEventListener("close", () => document.body.classList.remove("open"));
  dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); });
  addEventListener("keydown", (e) => { if (!dialog.open) return; const steer = dialog.querySelectorAll(".steer button"); const b = { ArrowLeft: steer[0], ArrowRight: steer[1] }[e.key]; if (b && !b.disabled) b.click(); });
  const asked = bank.find((d) => location.hash === `#${d.name}`);
  if (asked) open(asked);
}
start();
