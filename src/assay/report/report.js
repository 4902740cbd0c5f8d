const cards = [...document.querySelectorAll("script.card")].map((node, n) => ({ ...parse(node), n }));
const about = parse($("about"));
const single = cards.length === 1;

const percent = (p) => (p > 0 && p < 0.01 ? "<1%" : p < 1 && p > 0.99 ? ">99%" : `${Math.round(p * 100)}%`);
const way = (worst, best) => (higher(worst, best) ? "↑ higher is better" : "↓ lower is better");
const scale = (worst, best) => (higher(worst, best) ? [worst, best] : [best, worst]).map(figure).join(" to ");
const unseen = (text) => text.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, (c) => `\\u${c.codePointAt(0).toString(16).padStart(4, "0")}`);
const parts = (path) => { const at = path.lastIndexOf(path.includes("/") ? "/" : "\\"); return [path.slice(0, at + 1), path.slice(at + 1) || path].map(unseen); };
const size = (n) => (n < 1e3 ? `${n} bytes` : n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`);
const panel = (title, ...children) => h(`section.panel.${title.split(" ")[0].toLowerCase()}`, {}, h("h2", {}, title), ...children);

const SHAPES = { "camera original": "M9 2a7 7 0 1 0 .01 0z", edited: "M9 1 17 9 9 17 1 9z", generated: "M9 2 17 16H1z", inconclusive: "M9 2a7 7 0 1 0 .01 0z" };
const glyph = (label) => s(`svg.glyph.${label.replace(" ", "-")}`, { viewBox: "-1 -1 20 20", "aria-hidden": "true" }, s("path", { d: SHAPES[label] }));

/* ---- one file ---- */

function ring(quality) {
  const r = 56, around = 2 * Math.PI * r, [low, high] = quality.interval.map((v) => v / 100), at = quality.score / 100;
  const arc = (kind, from, to) => s(`circle.${kind}`, { cx: 66, cy: 66, r, transform: "rotate(-90 66 66)",
    "stroke-dasharray": `${Math.max(0, to - from) * around} ${around}`, "stroke-dashoffset": -from * around });
  const told = `Quality ${Math.round(quality.score)} of 100, likely between ${Math.round(low * 100)} and ${Math.round(high * 100)}`;
  return s("svg.ring", { viewBox: "0 0 132 132", role: "img", "aria-label": told },
    s("circle.track", { cx: 66, cy: 66, r }), arc("mark", 0, Math.min(low, at)), arc("band", low, high), arc("mark", Math.max(0, at - 0.012), at),
    s("text", { x: 66, y: 78 }, String(Math.round(quality.score))), s("text.of", { x: 66, y: 97 }, "of 100"));
}

function qualityPanel(quality) {
  const [low, high] = quality.interval.map(Math.round);
  return panel("Quality",
    h(".headline", {}, ring(quality), h("div", {}, h("p", {}, `Likely between ${low} and ${high}.`), h("small", {}, "0 is worst, 100 is best. The light band on the ring is the interval."))),
    quality.reasons.length > 0 && [h("h3", {}, "What pulls it down"), h("ul.reasons", {}, quality.reasons.map((r) => h("li", {}, r)))]);
}

function evidenceList(list, sure) {
  return h("ul.evidence", {}, list.map((e) => {
    const odds = e.llr === null ? null : `likelihood ratio ${figure(Math.exp(Number(e.llr)))}`;
    const points = e.points_to && !sure ? `points to ${e.points_to}` : null;
    const tag = e.points_to && [h("b", {}, e.weight), points, odds].filter(Boolean).flatMap((t, i) => (i ? [" · ", t] : [t]));
    return h(`li.${e.weight}`, {}, e.says, tag && [" ", h("span.tag", {}, tag)], e.caveat && h("small", {}, e.caveat));
  }));
}

function ratioWords(w) {
  const times = Math.exp(Math.abs(w.llr)), band = [[2, "says nothing either way"], [10, "weak"], [100, "moderate"], [1000, "strong"], [Infinity, "very strong"]].find(([limit]) => times < limit)[1];
  return times < 2 ? band : `${band} evidence, ${Number(times.toPrecision(2))} times as usual among ${w.llr > 0 ? w.question : "authentic"} pictures`;
}

function originPanel(origin) {
  const { label, evidence } = origin, chance = origin.probability_generated;
  const pointing = evidence.filter((e) => e.points_to), notes = evidence.filter((e) => !e.points_to);
  const open = label === "inconclusive";
  const group = (title, list, sure) => list.length > 0 && [h("h3", {}, title), evidenceList(list, sure)];
  return panel("Origin", h(".label", {}, glyph(label), label),
    chance !== null && h("p.soft", {}, `Chance of being generated ${percent(chance)}${origin.interval ? `, likely ${origin.interval.map(percent).join(" to ")}` : ""}.`),
    origin.weighed.map((w) => h("p.soft", {}, `${w.question[0].toUpperCase()}${w.question.slice(1)}? ${ratioWords(w)}.`)),
    open && h("p.soft", {}, pointing.length ? "What was found does not decide where this picture came from." : "Nothing in the file says where this picture came from. That is common, and says nothing against it."),
    open ? group("What was found", pointing) : [group("For", pointing.filter((e) => e.points_to === label), true), group("Against", pointing.filter((e) => e.points_to !== label))],
    group("Worth knowing", notes, true),
    origin.unavailable.length > 0 && [h("h3", {}, "Could not be asked"), h("ul.evidence", {}, origin.unavailable.map((t) => h("li.soft", {}, t)))]);
}

function viewer(full, name) {
  const image = h("img", { src: full.photo, alt: name, width: full.size[0], height: full.size[1] });
  const stage = h(".stage", {}, image), read = h(".read"), chips = h(".chips", { role: "group", "aria-label": "What lies over the photograph" });
  stage.style.maxWidth = `min(100%, ${Math.max(200, Math.round((560 * full.size[0]) / full.size[1]))}px)`;
  const show = (map, button) => {
    for (const b of chips.children) b.setAttribute("aria-pressed", b === button);
    stage.replaceChildren(image);
    read.replaceChildren();
    if (!map) return;
    if (map.faces) return void stage.append(boxes(map.faces, full.row.media));
    const over = h(`img.over${Math.max(...map.size) < 200 ? ".coarse" : ""}`, { src: map.image, alt: `${map.name}: ${map.says}` });
    const slider = h("input", { type: "range", min: 0, max: 100, value: 75, "aria-label": "How much of the map to show", oninput: () => { over.style.opacity = slider.value / 100; } });
    over.style.opacity = 0.75;
    stage.append(over);
    read.append(h("p", {}, map.says));
    if (map.ends) read.append(h(".legend", {}, map.ends[0], h("i"), map.ends[1]));
    read.append(h("label.mix", {}, "photo", slider, "map"));
  };
  const people = { name: "Faces", faces: full.row.faces || [] }, layers = [null, ...(people.faces.length ? [people] : []), ...full.maps];
  for (const map of layers) {
    const button = h("button", { type: "button", onclick: () => show(map, button) }, map ? map.name : "Photo");
    chips.append(button);
  }
  const asked = layers.findIndex((m) => m && m.name === state().get("map")), first = asked > 0 ? asked : people.faces.length ? 1 : 0;
  show(layers[first], chips.children[first]);
  return h("section.panel.viewer", {}, stage, full.maps.length > 0 && chips, read);
}

/* Boxes, points and numbers over the photograph, in the upright picture's pixels. */
function boxes(faces, media) {
  const [w, t] = media.orientation > 4 ? [media.height, media.width] : [media.width, media.height], unit = Math.max(w, t) / 100;
  return s("svg.boxes", { viewBox: `0 0 ${w} ${t}`, "aria-hidden": "true" }, faces.map((f, n) => {
    const [left, top, right, bottom] = f.box;
    return s("g", {}, s("rect.under", { x: left, y: top, width: right - left, height: bottom - top, rx: unit }), s("rect", { x: left, y: top, width: right - left, height: bottom - top, rx: unit }),
      f.points.map(([x, y]) => s("circle", { cx: x, cy: y, r: Math.max(unit * 0.35, (right - left) / 60) })),
      faces.length > 1 && s("text", { x: left + unit, y: Math.max(top - unit * 0.8, unit * 3), "font-size": unit * 3 }, String(n + 1)));
  }));
}

const HEADLINES = { "fiqa-assay": "to people", "embedding_robustness": "to a matcher" };

function peoplePanel(faces) {
  if (!faces.length) return null;
  return panel(plural(faces.length, "face"), faces.slice(0, 12).map((f, n) => {
    const scores = f.results.filter((r) => r.scale), told = scores.filter((r) => r.name in HEADLINES), rest = scores.filter((r) => !(r.name in HEADLINES)).sort((a, b) => a.good - b.good);
    return h(".face", {}, h("h3", {}, faces.length > 1 ? `Face ${n + 1} ` : "", h("small", {}, `${Math.round(f.box[2] - f.box[0])} × ${Math.round(f.box[3] - f.box[1])} pixels, eyes ${Math.round(f.eye_distance)} apart`)),
      told.map((r) => meter(r, HEADLINES[r.name])),
      f.advice.length > 0 && h("ul.reasons", {}, f.advice.map((t) => h("li", {}, t))),
      f.results.some((r) => r.evidence.length) && evidenceList(f.results.flatMap((r) => r.evidence)),
      scores.length > 0 && h("details", {}, h("summary", {}, "All measures of this face"), rest.map((r) => meter(r)),
        f.errors.length > 0 && h("p.soft", {}, [...new Set(f.errors.map((e) => e.says))].map((t) => `${f.errors.filter((e) => e.says === t).map((e) => e.what).join(", ")}: ${unseen(t)}`).join(" "))));
  }), faces.length > 12 && h("p.soft", {}, `and ${faces.length - 12} more`));
}

function meter(r, to) {
  const raw = r.data.raw === undefined ? "" : `${figure(r.data.raw)}${r.data.unit ? ` ${r.data.unit}` : ""}`;
  return h(".meter", { title: says(r.name) }, h("span", {}, r.name.replaceAll("_", " "), to && h("small", {}, ` ${to}`)), h("small", {}, raw),
    s("svg.mini", { viewBox: "0 0 100 5", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect.track", { width: 100, height: 5, rx: 2.5 }), s("rect.done", { width: Math.max(2, 100 * r.good), height: 5, rx: 2.5 })), h("b", {}, figure(Number(r.value).toPrecision(3))));
}

function range(good, usual) {
  const at = 6 + good * 158;
  return h(".range", {}, s("svg", { viewBox: "0 0 170 14", role: "img", "aria-label": `${percent(good)} of the way from poor to good` },
    s("line.track", { x1: 6, x2: 164, y1: 7, y2: 7 }), s("line.done", { x1: 6, x2: at, y1: 7, y2: 7 }), s("circle", { cx: at, cy: 7, r: 6 })),
  h(".ends", {}, h("span", {}, `${figure(usual[0])} poor`), h("span", {}, `good ${figure(usual[1])}`)));
}

/* Most sentences begin with the name, which stands above them already. */
function says(name) {
  const text = about.says[name] || "", bare = text.toLowerCase().startsWith(`${name}: `) ? text.slice(name.length + 2) : text;
  return bare.slice(0, 1).toUpperCase() + bare.slice(1);
}

const ASPECTS = { quality: "Quality", detail: "Detail", noise: "Noise", compression: "Compression", light: "Light", colour: "Colour", reference: "Distance from the reference", difference: "Differences", origin: "Origin" };

/* Every sentence names the measurements it is made from; those on this page are links. */
function words(told, scores) {
  const known = new Set(scores.map((r) => r.name)), plain = (m) => m.name.split(",")[0];
  const source = (m) => { const name = plain(m).split(".")[0]; return known.has(name) ? h("a", { href: "#", onclick: (e) => { e.preventDefault(); reveal(name); } }, plain(m)) : plain(m); };
  const once = (list) => list.filter((m, i) => list.findIndex((k) => plain(k) === plain(m)) === i);
  const from = (list) => list.length > 0 && h("span.from", {}, " ", once(list).flatMap((m, i) => (i ? [", ", source(m)] : [source(m)])));
  const aspects = Object.keys(ASPECTS).map((a) => [a, told.filter((t) => t.aspect === a)]).filter(([, list]) => list.length);
  return told.length > 0 && panel("In words", h("dl.words", {}, aspects.map(([a, list]) => h("div", {}, h("dt", {}, ASPECTS[a]), h("dd", {}, list.map((t) => h("p", {}, t.says, from(t.measures))))))));
}

function reveal(name) {
  const row = document.querySelector(`.scores li[data-name="${CSS.escape(name)}"]`);
  row.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  row.classList.add("found-here");
  setTimeout(() => row.classList.remove("found-here"), 1600);
}

function measures(scores) {
  return panel("Measures", h("ul.scores", {}, scores.map((r) => h("li", { "data-name": r.name },
    h(".name", {}, r.name),
    h(".value", {}, h("b", {}, figure(r.value)), r.unit && ` ${r.unit}`, r.interval && h("small", {}, `${r.interval.map(figure).join(" to ")}`)),
    h(".says", {}, says(r.name), h("small", {}, `${way(r.scale.worst, r.scale.best)}; the scale is ${scale(r.scale.worst, r.scale.best)}`)),
    range(r.good, r.scale.usual)))));
}

function fileFacts(row, full) {
  const m = row.media || {};
  const turned = ["", "upright", "mirrored", "turned by 180°", "flipped", "mirrored and turned left", "turned right", "mirrored and turned right", "turned left"];
  const facts = [
    ["Format", m.format], ["Size", m.width && `${m.width.toLocaleString("en")} × ${m.height.toLocaleString("en")} pixels`], ["Weight", full.bytes && size(full.bytes)],
    ["Colours", m.mode && `${m.mode}, ${m.bit_depth} bit${m.alpha ? ", with transparency" : ""}`], ["Colour profile", m.format && (m.icc || "none, taken as sRGB")],
    ["Orientation", m.orientation > 1 && `${turned[m.orientation]} as stored (EXIF ${m.orientation})`], ["Frames", m.frames > 1 && m.frames], ["Compared with", row.reference && unseen(row.reference)],
  ].filter(([, v]) => v);
  return panel("File", h("dl.facts", {}, facts.map(([k, v]) => h("div", {}, h("dt", {}, k), h("dd", {}, String(v)))),
    (m.notes || []).length > 0 && h(".full", {}, h("dt", {}, "Notes"), m.notes.map((t) => h("dd", {}, t))),
    row.sha256 && h(".full", {}, h("dt", {}, "SHA-256"), h("dd", {}, h("code", {}, row.sha256)))));
}

function methods(row) {
  const spoken = row.results.filter((r) => r.evidence.length || Object.keys(r.data).length);
  return spoken.length > 0 && panel("Findings by method", spoken.map((r) => h("details", {}, h("summary", {}, r.name, h("small", {}, `  version ${r.version}`)),
    says(r.name) && h("p.soft", {}, says(r.name)), r.evidence.length > 0 && evidenceList(r.evidence),
    Object.keys(r.data).length > 0 && h("pre", {}, JSON.stringify(r.data, null, 1)))));
}

function story(n) {
  const full = parse($(`item${n}`)), { row } = full, [folder, name] = parts(row.path);
  const { quality, origin } = row.verdicts, scores = row.results.filter((r) => r.scale);
  const m = row.media, facts = m && [m.format, `${m.width} × ${m.height}`, full.bytes && size(full.bytes)].filter(Boolean).join(" · ");
  const missing = m && !full.photo && panel("Photo", cards[n].thumb && h("img", { src: cards[n].thumb, alt: name }),
    h("p.soft", {}, `This report holds the photographs and maps of its first ${plural(about.maps, "file")}. To see those of this one, make a report of this file alone, or raise --maps.`));
  const errors = row.errors.length > 0 && h("section.panel.warn", {}, h("h2", {}, "Could not be done"), h("ul", {}, row.errors.map((e) => h("li", {}, h("b", {}, e.what), ` – ${unseen(e.says)}`))));
  const told = row.description || [], brief = told.filter((t) => t.brief).map((t) => t.says).join(" ");
  const left = [full.photo ? viewer(full, name) : missing, words(told, scores), scores.length > 0 && measures(scores)].filter(Boolean);
  const right = [quality && qualityPanel(quality), peoplePanel(row.faces || []), origin && originPanel(origin), errors, methods(row), (m || row.sha256) && fileFacts(row, full)].filter(Boolean);
  return [h("h1", {}, name), h("p.lead", {}, [folder, facts].filter(Boolean).join(" · ")), brief && h("p.brief", {}, brief),
    h(`.story${left.length ? "" : ".alone"}`, {}, left.length > 0 && h(".stack.first", {}, left), h(".stack", {}, right))];
}

/* ---- many files: the state lives in the address, after the # ---- */

const state = () => new URLSearchParams(location.hash.slice(1));
const names = [...new Set(cards.flatMap((c) => Object.keys(c.scores)))];
const judged = cards.some((c) => c.quality !== null);
const main = judged ? "quality" : names[0];
const value = (card, name) => (name === "quality" ? card.quality : name in card.scores ? Number(card.scores[name][0]) : null);
const good = (card, name) => (name === "quality" ? (card.quality === null ? null : card.quality / 100) : name in card.scores ? card.scores[name][1] : null);
const ends = (name) => { if (name === "quality") return [0, 100]; const c = cards.find((k) => name in k.scores); return c.scores[name].slice(3); };
const unit = (name) => (name === "quality" ? "" : cards.find((k) => name in k.scores).scores[name][2]);
let shown = [];

function histogram(name) {
  const all = cards.map((c) => value(c, name)).filter((v) => v !== null && isFinite(v));
  if (!all.length) return null;
  const [low, high] = name === "quality" ? [0, 100] : [Math.min(...all), Math.max(...all)];
  const bins = new Array(20).fill(0);
  for (const v of all) bins[Math.min(19, Math.floor(((v - low) / (high - low || 1)) * 20))] += 1;
  const top = Math.max(...bins);
  const told = `${plural(all.length, "file")} by ${name}, from ${figure(low)} to ${figure(high)}; most lie between ${figure(low + (bins.indexOf(top) / 20) * (high - low))} and ${figure(low + ((bins.indexOf(top) + 1) / 20) * (high - low))}`;
  return [s("svg.histogram", { viewBox: "0 0 400 112", preserveAspectRatio: "none", role: "img", "aria-label": told },
    bins.map((n, i) => { const tall = n ? Math.max(3, (n / top) * 108) : 0; return s("g", {}, s("title", {}, `${plural(n, "file")}: ${figure(low + (i / 20) * (high - low))} to ${figure(low + ((i + 1) / 20) * (high - low))}`),
      s("rect.base", { x: i * 20 + 1.5, y: 110, width: 17, height: 2 }), s("rect", { x: i * 20 + 1.5, y: 112 - tall, width: 17, height: tall, rx: 2 })); })),
  h(".ends", {}, h("span", {}, figure(low)), h("span", {}, way(...ends(name))), h("span", {}, figure(high)))];
}

function overview() {
  const all = cards.map((c) => value(c, main)).filter((v) => v !== null).sort((a, b) => a - b);
  const half = all.length >> 1, median = all.length % 2 ? all[half] : (all[half - 1] + all[half]) / 2;
  const failed = cards.filter((c) => c.errors.length).length, origins = Object.keys(SHAPES).map((o) => [o, cards.filter((c) => c.origin === o).length]).filter(([, n]) => n);
  const number = (big, small) => h(".figure", {}, h(".big", {}, big), h("small", {}, small));
  return h("section.panel.overview", {},
    h("div", {}, all.length > 0 && number(main === "quality" ? Math.round(median) : figure(median), `median ${main}${unit(main) ? `, ${unit(main)}` : ""}`),
      number(cards.length.toLocaleString("en"), failed ? `files, ${failed.toLocaleString("en")} with errors` : "files")),
    all.length > 0 && h(".spread", {}, h("h2", {}, `${main === "quality" ? "Quality" : main}, ${scale(...ends(main))}`), histogram(main)),
    origins.length > 0 && h("div", {}, h("h2", {}, "Origin"), h("ul.counts", {}, origins.map(([o, n]) => h("li", {}, glyph(o), o, h("b", {}, n.toLocaleString("en")))))));
}

function cardOf(card) {
  const name = parts(card.path)[1], many = h(".row.sorted");
  const bar = main && good(card, main) !== null && s("svg.mini", { viewBox: "0 0 100 5", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect.track", { width: 100, height: 5, rx: 2.5 }), s("rect.done", { width: Math.max(2, 100 * good(card, main)), height: 5, rx: 2.5 }));
  const node = h("a", { href: "#", title: unseen(card.path) },
    card.thumb ? h(".thumb", {}, h("img", { src: card.thumb, alt: "", loading: "lazy", decoding: "async" })) : h(".thumb.none", {}, h("span", {}, card.errors.length ? "no picture" : "")),
    h(".text", {}, h(".file", {}, name),
      bar && h(".row", {}, h("b", {}, main === "quality" ? Math.round(card.quality) : figure(value(card, main))), bar),
      card.origin && h(".row", {}, glyph(card.origin), card.origin), many,
      card.errors.length > 0 && h(".row.oops", {}, card.thumb ? plural(card.errors.length, "error") : unseen(card.errors[0]).slice(0, 140))));
  node.addEventListener("click", (event) => { if (!event.metaKey && !event.ctrlKey) { event.preventDefault(); change({ item: card.n }); } });
  return { node, many, text: card.path.toLowerCase() };
}

function change(what, push = true) {
  const now = state();
  for (const [key, v] of Object.entries(what)) (v === "" || v === null || v === false) ? now.delete(key) : now.set(key, v);
  history[push ? "pushState" : "replaceState"](null, "", `#${now}`);
  apply();
}

const SORTS = [["name", "name"], ...(judged ? [["quality", "quality"]] : []), ...names.map((n) => [n, n]), ["order", "order of the run"]];
const tools = {};
const worstFirst = (key) => key !== "name" && key !== "order";

function toolbar() {
  const set = (key, read = (e) => e.target.value) => (e) => change({ [key]: read(e) }, false);
  const origins = Object.keys(SHAPES).filter((o) => cards.some((c) => c.origin === o));
  tools.text = h("input", { type: "search", placeholder: "Find by name", "aria-label": "Find by name", oninput: set("text") });
  tools.origin = h("select", { "aria-label": "Origin", onchange: set("origin") }, h("option", { value: "" }, "any origin"), origins.map((o) => h("option", { value: o }, o)));
  tools.min = h("input", { type: "number", min: 0, max: 100, placeholder: "0", "aria-label": "Lowest quality", oninput: set("min") });
  tools.max = h("input", { type: "number", min: 0, max: 100, placeholder: "100", "aria-label": "Highest quality", oninput: set("max") });
  tools.failed = h("input", { type: "checkbox", onchange: set("failed", (e) => e.target.checked && "1") });
  tools.sort = h("select", { "aria-label": "Sort by", onchange: set("sort") }, SORTS.map(([v, t]) => h("option", { value: v }, t)));
  tools.turn = h("button", { type: "button", onclick: () => change({ turn: state().get("turn") ? "" : "1" }, false) });
  return h(".bar", { role: "search" }, tools.text, origins.length > 1 && tools.origin,
    judged && h("label.span", {}, "Quality", tools.min, "to", tools.max), cards.some((c) => c.errors.length) && h("label", {}, tools.failed, "errors only"),
    h("label.span", {}, "Sort by", tools.sort), tools.turn);
}

function apply() {
  const now = state(), get = (key, other = "") => now.get(key) ?? other;
  if (!single) list(now, get);
  const item = now.get("item"), dialog = $("dialog"), n = Number(item);
  if (!single && item !== null && cards[n]) open(n);
  else if (dialog.open) dialog.close();
}

function list(now, get) {
  const key = SORTS.some(([v]) => v === get("sort")) ? get("sort") : judged ? "quality" : SORTS[0][0], turn = get("turn") ? -1 : 1;
  tools.text.value = get("text"); tools.origin.value = get("origin"); tools.min.value = get("min"); tools.max.value = get("max");
  tools.failed.checked = get("failed") === "1"; tools.sort.value = key;
  const first = worstFirst(key) ? (turn > 0 ? "worst first" : "best first") : turn > 0 ? "first to last" : "last to first";
  tools.turn.textContent = first; tools.turn.setAttribute("aria-label", `Order: ${first}. Turn around`);
  const text = get("text").toLowerCase(), low = get("min") === "" ? null : Number(get("min")), high = get("max") === "" ? null : Number(get("max"));
  shown = cards.filter((c) => c.view.text.includes(text) && (!get("origin") || c.origin === get("origin")) && (!tools.failed.checked || c.errors.length)
    && (low === null || (c.quality !== null && c.quality >= low)) && (high === null || (c.quality !== null && c.quality <= high)));
  const way = worstFirst(key) && !higher(...ends(key)) ? -1 : 1;
  const order = (a, b) => {
    if (key === "name") return turn * a.path.localeCompare(b.path, "en", { numeric: true });
    if (key === "order") return turn * (a.n - b.n);
    const x = value(a, key), y = value(b, key);
    if (x === null || y === null) return (x === null) - (y === null) || a.n - b.n;  /* files without an answer come last, either way */
    return (x === y ? 0 : x < y ? -1 : 1) * turn * way || a.n - b.n;
  };
  shown.sort(order);
  for (const c of shown) c.view.many.replaceChildren(...(worstFirst(key) && key !== main && value(c, key) !== null ? [`${key} ${figure(value(c, key))} ${unit(key)}`] : []));
  for (const c of shown) c.view.many.hidden = !c.view.many.firstChild;
  const told = worstFirst(key) ? `  ${key}: ${scale(...ends(key))}${unit(key) ? ` ${unit(key)}` : ""}, ${higher(...ends(key)) ? "higher" : "lower"} is better.` : "";
  $("found").textContent = (shown.length === cards.length ? plural(cards.length, "file") : `${shown.length.toLocaleString("en")} of ${plural(cards.length, "file")}`) + "." + told;
  $("grid").replaceChildren(...shown.map((c) => c.view.node));
}

function open(n) {
  const dialog = $("dialog"), at = shown.findIndex((c) => c.n === n);
  if (dialog.dataset.n !== String(n) || !dialog.open) {
    const go = (step) => h("button", { type: "button", "aria-label": step < 0 ? "Previous file" : "Next file", disabled: !shown[at + step], onclick: () => change({ item: shown[at + step].n, map: "" }, false) }, step < 0 ? "←" : "→");
    dialog.replaceChildren(h(".steer", {}, h("span", {}, at < 0 ? "" : `${at + 1} of ${shown.length}`), go(-1), go(1), h("button", { type: "button", onclick: () => dialog.close() }, "Close")), h(".inside", {}, story(n)));
    dialog.dataset.n = n;
  }
  document.body.classList.add("open");
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

function start() {
  $("footer").append(`Made by Assay ${about.assay}. This page is complete in itself: it loads nothing and sends nothing.`);
  if (single) {
    document.title = `${parts(cards[0].path)[1]} – Assay`;
    $("main").replaceChildren(brand(), ...story(0).filter(Boolean));
    return;
  }
  document.title = `${plural(cards.length, "file")} – Assay`;
  const folders = new Set(cards.map((c) => parts(c.path)[0]));
  for (const card of cards) card.view = cardOf(card);
  $("main").replaceChildren(brand(), h("h1", {}, plural(cards.length, "file")), h("p.lead", {}, folders.size === 1 ? [...folders][0] : `from ${plural(folders.size, "folder")}`),
    overview(), toolbar(), h("p.found", { id: "found", "aria-live": "polite" }), h(".grid", { id: "grid" }));
  const dialog = $("dialog");
  dialog.addEventListener("close", () => { document.body.classList.remove("open"); if (state().has("item")) change({ item: "", map: "" }, false); });
  dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); });
  addEventListener("keydown", (e) => {
    if (!dialog.open || e.target.matches("input, select")) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key], next = step && shown[shown.findIndex((c) => c.n === Number(dialog.dataset.n)) + step];
    if (next) change({ item: next.n, map: "" }, false);
  });
  addEventListener("popstate", apply);
  addEventListener("hashchange", apply);
  apply();
}
start();
