// Rows of tables: one-hots, units, and values as text (see wgan/models/table_head.py, wgan/data/units.py and wgan/data/tabular).

// Half to even, as NumPy's rint: 0.5 -> 0, 1.5 -> 2.
function rint(v) { const low = Math.floor(v), rest = v - low; return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1; }

// A standardised sample as one row in the units of the table, within the range and the step of its training rows.
function inUnits(units, x) {
  let at = 0;
  return units.mean.map((mean, i) => {
    let v = units.scale[i] > 0 ? mean + x[at++] * units.scale[i] : mean;
    if (units.low.length) {
      if (units.step[i] > 0) v = units.low[i] + rint((v - units.low[i]) / units.step[i]) * units.step[i];
      v = Math.min(Math.max(v, units.low[i]), units.high[i]);
    }
    return units.whole[i] ? rint(v) : v;
  });
}

// The distribution function of the normal law (Marsaglia 2004).
function ndtr(z) {
  if (z < -8) return 0;
  if (z > 8) return 1;
  let sum = z, before = 0, term = z, i = 1;
  while (sum !== before) { before = sum; term *= z * z / (i += 2); sum += term; }
  return 0.5 + sum * Math.exp(-0.5 * z * z - 0.9189385332046727);
}

// Each one-hot of a row becomes that of its greatest logit with Gumbel noise, or what is wanted; a score is 0 outside of slot 0.
function harden(hots, x, noise, wanted) {
  let k = 0;
  for (const [hot, [start, slots, scored]] of hots.entries()) {
    let best = 0, most = -Infinity;
    for (let s = 0; s < slots; s++, k++) {
      const v = x[start + s] - Math.log(-Math.log(Math.min(Math.max(ndtr(noise[k]), 1e-7), 1 - 1e-6)));
      if (v > most) { most = v; best = s; }
    }
    if (wanted[hot]) best = wanted[hot] - 1;
    for (let s = 0; s < slots; s++) x[start + s] = s === best ? 1 : 0;
    if (scored && best !== 0) x[start + slots] = 0;
  }
}

// The first place in ascending values whose value is at least v.
function place_of(values, v) { let a = 0, b = values.length; while (a < b) { const m = (a + b) >> 1; if (values[m] < v) a = m + 1; else b = m; } return a; }

// Linear between known points, constant beyond them.
function interpolate(v, xs, ys) {
  const i = place_of(xs, v);
  if (i === 0) return ys[0];
  if (i === xs.length) return ys[i - 1];
  return ys[i - 1] + (ys[i] - ys[i - 1]) / (xs[i] - xs[i - 1]) * (v - xs[i - 1]);
}

// The numbers of a row as one code for each column: a number, seconds of a date, the number of a level, NaN where missing.
function codesOf(columns, x) {
  let at = 0;
  return columns.map((c) => {
    const { spikes, values, marks, lattice, missing } = c.coding;
    let slot = 0;
    for (let s = 1; s < c.slots; s++) if (x[at + s] > x[at + slot]) slot = s;
    const z = x[at + c.slots];
    at += c.slots + (c.scored ? 1 : 0);
    if (!c.scored) return rounded(c, [...spikes, ...(missing ? [NaN] : [])][slot]);
    if (slot > 0) return rounded(c, [...spikes, ...(missing ? [NaN] : [])][slot - 1]);
    return rounded(c, lattice ? values[Math.min(place_of(marks, ndtr(z)), values.length - 1)] : interpolate(z, marks, values));
  });
}
// What a column can be asked for: codes, and slot + 1 of each; rare values share the first slot.
function valuesOf(c) {
  const { spikes, values, missing } = c.coding, first = c.scored ? 2 : 1;
  const own = spikes.map((code, i) => ({ slot: first + i, code })), rare = c.scored ? values.map((code) => ({ slot: 1, code })) : [];
  return [...own, ...rare, ...(missing ? [{ slot: first + spikes.length, code: NaN }] : [])];
}
function rounded(c, code) {
  if (c.kind === "category" || Number.isNaN(code)) return code;
  const v = c.step ? c.lowest + rint((code - c.lowest) / c.step) * c.step : code, f = 10 ** c.digits;
  return c.kind === "number" && c.digits >= 0 && c.digits <= 15 ? rint(v * f) / f : v;
}

// A code as the table writes it.
function textOf(c, code) {
  if (Number.isNaN(code)) return c.mark;
  if (c.kind === "category") return code >= 0 && code < c.levels.length ? c.levels[Math.trunc(code)] : "";
  if (c.kind === "date") return dateText(code, c.form);
  const text = numberText(c, code);
  return c.form === "comma" ? text.replace(".", ",") : text;
}

function numberText(c, code) {
  if (c.style === "fixed") return c.digits ? code.toFixed(Math.min(100, Math.max(0, c.digits))) : String(Math.trunc(code));
  const text = shortest(code);
  return c.style === "short" && text.endsWith(".0") ? text.slice(0, -2) : text;
}

// The shortest text that reads back as the same number, as Python writes it.
function shortest(v) {
  const [, sign, head, tail, power] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(v.toExponential()), digits = head + (tail || ""), e = Number(power);
  if (e < -4 || e >= 16) return `${sign}${head}${tail ? "." + tail : ""}e${e < 0 ? "-" : "+"}${String(Math.abs(e)).padStart(2, "0")}`;
  if (e < 0) return `${sign}0.${"0".repeat(-e - 1)}${digits}`;
  const padded = digits.padEnd(e + 1, "0");
  return `${sign}${padded.slice(0, e + 1)}.${padded.slice(e + 1) || "0"}`;
}

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
function dateText(seconds, form) {
  const micros = rint(seconds * 1e6), whole = Math.floor(micros / 1e6), d = new Date(whole * 1000), two = (n) => String(n).padStart(2, "0");
  const parts = {
    y: two(d.getUTCFullYear() % 100), Y: String(d.getUTCFullYear()).padStart(form.startsWith("%Y") ? 4 : 1, "0"), m: two(d.getUTCMonth() + 1), d: two(d.getUTCDate()), b: MONTHS[d.getUTCMonth()].slice(0, 3), B: MONTHS[d.getUTCMonth()], H: two(d.getUTCHours()), M: two(d.getUTCMinutes()),
    S: two(d.getUTCSeconds()), f: String(micros - whole * 1e6).padStart(6, "0"), I: two((d.getUTCHours() + 11) % 12 + 1), p: d.getUTCHours() < 12 ? "AM" : "PM",
  };
  const bare = form.replace("%3f", parts.f.slice(0, 3)).replace(/%-([A-Za-z])/g, (all, letter) => letter in parts ? String(Number(parts[letter])) : all);
  return bare.replace(/%([A-Za-z])/g, (all, letter) => parts[letter] ?? all);
}
