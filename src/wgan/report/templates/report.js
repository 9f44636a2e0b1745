"use strict";
document.documentElement.classList.add("js");
const grids = JSON.parse(document.getElementById("grids").textContent);
const viewers = [...document.querySelectorAll("[data-viewer]")].map((box) => {
  const frames = grids[Number(box.dataset.viewer)], range = box.querySelector("input");
  const image = box.querySelector("img"), caption = box.querySelector("[data-step]");
  const show = (i) => { range.value = i; image.src = frames[i].uri; caption.textContent = `step ${frames[i].step}`; range.setAttribute("aria-valuetext", caption.textContent); };
  const nearest = (step) => { let i = 0; while (i + 1 < frames.length && frames[i + 1].step <= step) i++; return i; };
  return { box, frames, range, show, nearest };
});
const goTo = (step, from) => viewers.forEach((v) => { if (v !== from) v.show(v.nearest(step)); });
viewers.forEach((v) => {
  v.range.addEventListener("input", () => { v.show(Number(v.range.value)); goTo(v.frames[v.range.value].step, v); });
  const button = v.box.querySelector("button");
  let timer = 0;
  const stop = () => { clearInterval(timer); timer = 0; button.textContent = "Play"; };
  button.addEventListener("click", () => {
    if (timer) { stop(); return; }
    let i = Number(v.range.value) + 1 < v.frames.length ? Number(v.range.value) : -1;
    button.textContent = "Pause";
    timer = setInterval(() => { i++; v.show(i); goTo(v.frames[i].step, v); if (i + 1 >= v.frames.length) stop(); }, 180);
  });
  v.range.addEventListener("pointerdown", stop);
});
const text = (value) => Number.isInteger(value) ? String(value) : Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6 ? String(Number(value.toPrecision(4))) : value.toPrecision(3);
document.querySelectorAll("[data-chart]").forEach((box) => {
  const chart = JSON.parse(box.dataset.chart), svg = box.querySelector("svg"), tip = box.querySelector(".tip");
  const cursor = svg.querySelector(".cursor"), dots = [...svg.querySelectorAll(".dot")];
  const [left, right, top, bottom] = svg.dataset.frame.split(" ").map(Number);
  const nearest = (points, step) => { let a = 0, b = points.length - 1; while (b - a > 1) { const m = (a + b) >> 1; if (points[m][0] <= step) a = m; else b = m; } return points[step - points[a][0] <= points[b][0] - step ? a : b]; };
  const hide = () => { tip.hidden = true; cursor.style.visibility = "hidden"; dots.forEach((d) => { d.style.visibility = "hidden"; }); };
  const move = (event) => {
    const bounds = svg.getBoundingClientRect(), unit = svg.viewBox.baseVal.width / bounds.width;
    const at = Math.min(right, Math.max(left, (event.clientX - bounds.left) * unit));
    const step = chart.x[0] + (at - left) / (right - left) * (chart.x[1] - chart.x[0]);
    const found = chart.lines.map((line) => nearest(line.points, step));
    const pin = found.reduce((a, b) => Math.abs(b[0] - step) < Math.abs(a[0] - step) ? b : a);
    const across = (s) => left + (s - chart.x[0]) / (chart.x[1] - chart.x[0]) * (right - left);
    tip.replaceChildren(...[[`${chart.across} ${text(pin[0])}`, ""], ...chart.lines.map((line, i) => [line.name, text(found[i][1])])].map(([name, value]) => {
      const row = document.createElement("span"), bold = document.createElement("b");
      bold.textContent = value; row.append(name + (value === "" ? "" : "  "), bold); return row;
    }));
    cursor.setAttribute("x1", across(pin[0])); cursor.setAttribute("x2", across(pin[0])); cursor.style.visibility = "visible";
    dots.forEach((dot, i) => {
      const y = bottom - (found[i][1] - chart.y[0]) / (chart.y[1] - chart.y[0]) * (bottom - top);
      dot.setAttribute("cx", across(found[i][0])); dot.setAttribute("cy", y); dot.style.visibility = y >= top && y <= bottom ? "visible" : "hidden";
    });
    tip.hidden = false;
    const place = across(pin[0]) / unit, wide = tip.offsetWidth;
    tip.style.left = `${Math.max(0, place > bounds.width / 2 ? place - wide - 10 : place + 10)}px`;
  };
  svg.addEventListener("pointermove", move);
  svg.addEventListener("pointerdown", move);
  svg.addEventListener("pointerleave", hide);
});
document.querySelectorAll("[data-copy]").forEach((button) => {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", () => navigator.clipboard.writeText(button.closest(".command").querySelector("pre").textContent).then(() => { button.textContent = "Copied"; }, () => { button.textContent = "Select it by hand"; }));
});
