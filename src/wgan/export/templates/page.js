"use strict";
const model = JSON.parse(document.getElementById("model").textContent), $ = (id) => document.getElementById(id);
const generate = makeGenerator(model, $("weights").textContent.trim());
const images = model.shape.length === 3, classes = model.classes, Z = model.latent, AT_ONCE = 8;
const make = (name, ...children) => { const node = document.createElement(name); node.append(...children); return node; };
const options = (select, pairs) => { if (select) for (const [value, text] of pairs) { const o = make("option", text); o.value = value; select.append(o); } };
const whole = (input, least, most) => { const v = Math.floor(Number(input.value)); return Number.isFinite(v) ? Math.min(Math.max(v, least), most) : least; };
let seed = 0, chosen = null, before = null, turn = 0;

// The label of sample `index`: one for all, in turn, or as often as in the data.
function labelOf(index) {
  const value = $("label") ? $("label").value : "";
  if (value === "turn") return index % classes.length;
  if (value !== "data") return Number(value);
  let rest = stream(seed, index, 2)(), i = 0;
  while (i < classes.length - 1 && rest >= model.frequencies[i]) rest -= model.frequencies[i++];
  return i;
}

// Of each condition its control: a slider of numbers, or a list of the levels that were learned.
const told = model.conditions.map((c) => {
  const input = make(c.levels.length ? "select" : "input"), shown = make("output"), learned = c.levels.map((_, k) => k).filter((k) => c.trained[k]);
  if (c.levels.length) options(input, [["turn", "all in turn"], ...learned.map((k) => [k, c.levels[k]])]);
  else Object.assign(input, { type: "range", min: c.low, max: c.high, step: c.whole ? 1 : "any", value: c.example });
  const number = () => Number(Number(input.value).toPrecision(6)), say = () => { shown.textContent = c.levels.length ? "" : number(); };
  $("told").append(make("label", `${c.name} `, input, shown));
  input.addEventListener("input", () => { say(); if (chosen) { chosen = { ...chosen, y: conditionsOf(chosen.index) }; showOne(); } });
  input.addEventListener("change", draw);
  say();
  return { learned, code: (turn) => !c.levels.length ? number() : input.value === "turn" ? learned[turn % learned.length] : Number(input.value) };
});
// The vector of conditions of sample `index`, and the codes it stands for; levels in turn go as the digits of a number do.
function conditionsOf(index) {
  let turn = index;
  const codes = told.map(({ learned, code }) => { const found = code(turn); turn = Math.floor(turn / Math.max(1, learned.length)); return found; });
  return Object.assign(encode(model.conditions, codes), { codes });
}
const conditionTexts = (y) => model.conditions.map((c, i) => c.levels.length ? c.levels[y.codes[i]] : String(y.codes[i]));

const point = (index) => ({ index, z: latent(seed, index, Z), y: told.length ? conditionsOf(index) : wishes.length ? wishes.map(({ values, select }) => values[select.value] || null) : labelOf(index) });

// Samples of points {z, y}: one Float32Array each.
function compute(points) {
  const z = new Float32Array(points.length * Z);
  points.forEach((p, i) => z.set(p.z, i * Z));
  const x = generate(z, points.map((p) => p.y)), size = x.length / points.length;
  return points.map((_, i) => x.subarray(i * size, (i + 1) * size));
}

// --- images ---

const [C, H, W] = images ? model.shape : [0, 0, 0];
function paint(canvas, x, left, top) {
  const data = new ImageData(W, H);
  for (let i = 0; i < H * W; i++) for (let c = 0; c < 4; c++) {
    data.data[4 * i + c] = c === 3 ? 255 : Math.min(255, Math.max(0, rint((x[i * C + (C > 2 ? c : 0)] + 1) * 127.5)));
  }
  canvas.getContext("2d").putImageData(data, left, top);
}
function sheet(kind, count, columns, text) {
  const canvas = make("canvas"), rows = Math.ceil(count / columns);
  canvas.className = kind; canvas.width = columns * (W + 1) - 1; canvas.height = rows * (H + 1) - 1;
  canvas.setAttribute("role", "img"); canvas.setAttribute("aria-label", text);
  return canvas;
}
const place = (canvas, i, columns, x) => paint(canvas, x, (i % columns) * (W + 1), Math.floor(i / columns) * (H + 1));

// --- rows of a table, and points ---

const units = model.units, any = model.table, named = any || units, columns = any ? any.columns : [];
const width = images ? 0 : any ? columns.length : units ? units.mean.length : model.shape[0];
// Of each column that can be asked for: its place, its values, and which one is asked for.
const wishes = model.asked.map((at) => {
  const values = valuesOf(columns[at]), select = make("select"), shown = values.map((v, i) => [i, Number.isNaN(v.code) ? "missing" : textOf(columns[at], v.code)]);
  options(select, [["", "any"], ...shown]);
  $("where").append(make("label", `${columns[at].name} `, select));
  select.addEventListener("change", draw);
  return { at, values, select };
});
const insisted = (codes, y) => { wishes.forEach(({ at }, a) => { if (y[a]) codes[at] = y[a].code; }); return codes; };
const names = Array.from({ length: width }, (_, i) => any ? columns[i].name : units && units.names.length ? units.names[i] : `x${i}`);
const labelName = named && named.label ? named.label : "label", labelAt = classes.length ? (named && named.label ? named.label_at : width) : -1;
const own = labelAt < 0 ? names : [...names.slice(0, labelAt), labelName, ...names.slice(labelAt)], header = [...own, ...model.conditions.map((c) => c.name)];
const isNumber = (i) => !any || columns[i].kind === "number";
const digits = (v, i) => any ? textOf(columns[i], v) : units && !units.whole[i] && units.decimals[i] >= 0 ? v.toFixed(units.decimals[i]) : String(v);
const brief = (v, i) => any ? (columns[i].style === "fixed" || !isNumber(i) || Number.isNaN(v) ? digits(v, i) : String(Number(v.toPrecision(6)))) : units && (units.whole[i] || units.decimals[i] >= 0) ? digits(v, i) : String(Number(v.toPrecision(5)));
function cells(x, y, text) {
  const row = (any ? insisted(codesOf(columns, x), y) : units ? inUnits(units, x) : [...x]).map(text);
  return labelAt < 0 ? [...row, ...(told.length ? conditionTexts(y) : [])] : [...row.slice(0, labelAt), classes[y], ...row.slice(labelAt)];
}
const kindAt = (at) => at >= own.length ? (model.conditions[at - own.length].levels.length ? "" : "n") : at === labelAt || !isNumber(labelAt >= 0 && at > labelAt ? at - 1 : at) ? "" : "n";
function table(points, xs, pick) {
  const head = make("tr", ...header.map((name, at) => { const cell = make("th", name); cell.className = kindAt(at); return cell; })), body = make("tbody");
  points.forEach((p, i) => {
    const row = make("tr", ...cells(xs[i], p.y, brief).map((text, at) => { const cell = make("td", text); cell.className = kindAt(at); return cell; }));
    if (pick) { row.className = "pick"; row.addEventListener("click", () => pick(p)); }
    body.append(row);
  });
  const box = make("div", make("table", make("thead", head), body));
  box.className = "scroll";
  return box;
}
const quote = (text) => /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
function csv(count) {
  const lines = [header.map(quote).join(",")];
  for (let i = 0; i < count; i += 100) {
    const points = Array.from({ length: Math.min(100, count - i) }, (_, k) => point(i + k));
    compute(points).forEach((x, k) => lines.push(cells(x, points[k].y, digits).map(quote).join(",")));
  }
  return lines.join("\n") + "\n";
}
function plane(xs) {
  const canvas = make("canvas"), size = 520, c = canvas.getContext("2d"), ink = getComputedStyle(document.body).color;
  canvas.className = "plane"; canvas.width = canvas.height = size; canvas.setAttribute("role", "img"); canvas.setAttribute("aria-label", "the samples as points of the plane");
  const at = xs.map((x) => [x[0], x.length > 1 ? x[1] : 0]), most = at.reduce((m, p) => Math.max(m, Math.abs(p[0]), Math.abs(p[1])), 1e-9) * 1.08;
  c.fillStyle = ink; c.globalAlpha = 0.6;
  for (const [u, v] of at) { c.beginPath(); c.arc((u / most + 1) * size / 2, (1 - v / most) * size / 2, 2.5, 0, 7); c.fill(); }
  return canvas;
}

// --- the three sections ---

function show(box, points, kind, text, pick) {
  const xs = compute(points);
  if (!images) { $(box).replaceChildren(table(points, xs, pick)); return; }
  const canvas = sheet(kind, points.length, points.length, text);
  xs.forEach((x, i) => place(canvas, i, points.length, x));
  $(box).replaceChildren(canvas);
}

async function draw() {
  const mine = ++turn, count = Number($("count").value), begun = performance.now();
  seed = whole($("seed"), 0, Number.MAX_SAFE_INTEGER);
  const points = Array.from({ length: count }, (_, i) => point(i)), inTurn = classes.length > 3 && classes.length <= 12 && $("label").value === "turn";
  const columns = inTurn ? classes.length : Math.ceil(Math.sqrt(count)), xs = [];
  const canvas = images ? sheet("grid", count, columns, `${count} samples`) : null;
  if (canvas) {
    $("samples").replaceChildren(canvas);
    canvas.addEventListener("click", (e) => {
      const r = canvas.getBoundingClientRect(), i = Math.floor((e.clientY - r.top) / r.height * Math.ceil(count / columns)) * columns + Math.floor((e.clientX - r.left) / r.width * columns);
      if (i < count) choose(points[i]);
    });
  }
  for (let i = 0; i < count; i += AT_ONCE) {
    compute(points.slice(i, i + AT_ONCE)).forEach((x, k) => { xs.push(x); if (canvas) place(canvas, i + k, columns, x); });
    $("said").textContent = `${Math.min(i + AT_ONCE, count)} of ${count} samples`;
    await new Promise((done) => setTimeout(done));
    if (mine !== turn) return;
  }
  if (!images) $("samples").replaceChildren(...(width < 3 && !any ? [plane(xs)] : []), table(points.slice(0, 20), xs, choose));
  $("said").textContent = `${count} samples of seed ${seed} in ${((performance.now() - begun) / 1000).toFixed(1)} s${!images && count > 20 ? "; the first 20 as rows" : ""}.`;
  before = points[1 % count]; choose(points[0]);
}

const sliders = model.directions.map((direction, i) => {
  const input = make("input");
  Object.assign(input, { type: "range", min: -4, max: 4, step: 0.1, value: 0 });
  input.addEventListener("input", showOne);
  $("sliders").append(make("label", `direction ${i + 1}`, input));
  return { direction, input };
});
function moved() {
  const z = Float32Array.from(chosen.z);
  for (const { direction, input } of sliders) { const s = Number(input.value); for (let i = 0; s && i < Z; i++) z[i] += s * direction[i]; }
  return { z, y: $("own") ? Number($("own").value) : chosen.y };
}
function showOne() { show("one", [moved()], "one", `sample ${chosen.index}`); }
function choose(p) {
  if (chosen && chosen !== p && seed === chosen.seed) before = chosen;
  chosen = p; chosen.seed = seed; $("number").value = p.index;
  if ($("own")) $("own").value = p.y;
  sliders.forEach(({ input }) => { input.value = 0; });
  showOne(); showWalk();
}

const between = (t) => ({ z: slerp(before.z, chosen.z, t), y: t < 0.5 ? before.y : chosen.y });
function showWalk() {
  show("strip", Array.from({ length: 9 }, (_, i) => between(i / 8)), "strip", "nine samples on the way");
  showStep();
}
function showStep() { show("step", [between(Number($("walk").value))], "one", "the sample at this position"); }
let playing = 0;
function stop() { clearInterval(playing); playing = 0; $("play").textContent = "Play"; }
$("play").addEventListener("click", () => {
  if (playing) { stop(); return; }
  let t = Number($("walk").value) >= 1 ? 0 : Number($("walk").value);
  $("play").textContent = "Pause";
  playing = setInterval(() => { t = Math.min(1, t + 0.02); $("walk").value = t; showStep(); if (t >= 1) stop(); }, 60);
});
$("walk").addEventListener("input", () => { stop(); showStep(); });
$("reset").addEventListener("click", () => { sliders.forEach(({ input }) => { input.value = 0; }); showOne(); });
$("number").addEventListener("change", () => choose(point(whole($("number"), 0, 4294967295))));
if ($("own")) $("own").addEventListener("change", showOne);
$("another").addEventListener("click", () => { $("seed").value = Math.floor(Math.random() * 1e9); draw(); });
for (const id of ["count", "label", "seed"]) if ($(id)) $(id).addEventListener("change", draw);
if ($("save")) $("save").addEventListener("click", () => {
  const link = make("a"), count = whole($("many"), 1, Number($("many").max));
  link.href = URL.createObjectURL(new Blob([csv(count)], { type: "text/csv" })); link.download = "samples.csv"; link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});

options($("count"), (images ? [16, 64, 100, 400] : [20, 100, 1000]).map((n) => [n, n]));
$("count").value = images ? (classes.length === 10 ? 100 : 64) : width < 3 && !any ? 1000 : 20;
const each1 = classes.map((name, i) => [i, name]);
options($("label"), [...(model.frequencies.length ? [["data", "as in the data"]] : []), ["turn", "all in turn"], ...each1]);
options($("own"), each1);
draw();
