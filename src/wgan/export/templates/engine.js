"use strict";
// The forward pass of a folded generator (see wgan/export/fold.py): feature maps are [H, W, C] of Float32Array.

// Numbers of the page: float32 first, then kernels as 16-bit whole numbers with one scale for each output.
function unpack(base64, count) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return { floats: new Float32Array(bytes.buffer, 0, count), wholes: new Int16Array(bytes.buffer, 4 * count) };
}

// A kernel [K, N] for matmul: columns in groups of four, so that the inner loop reads memory in its order.
function pack(kernel, numbers) {
  const [K, N] = kernel.shape, out = new Float32Array(K * 4 * Math.ceil(N / 4));
  for (let j = 0; j < N; j++) {
    const scale = numbers.floats[kernel.scale + j], start = (j >> 2) * 4 * K + (j & 3);
    for (let k = 0; k < K; k++) out[start + 4 * k] = scale * numbers.wholes[kernel.at + k * N + j];
  }
  return { K, N, data: out };
}

// out [M, N] = a [M, K] times w [K, N], plus the bias [N] where there is one; four rows and four columns at a time.
function matmul(a, M, w, bias, out) {
  const { K, N, data } = w;
  for (let j = 0; j < N; j += 4) {
    const base = j * K, wide = Math.min(4, N - j);
    const b0 = bias ? bias[j] : 0, b1 = bias && wide > 1 ? bias[j + 1] : 0, b2 = bias && wide > 2 ? bias[j + 2] : 0, b3 = bias && wide > 3 ? bias[j + 3] : 0;
    let i = 0;
    for (; i + 4 <= M; i += 4) {
      let c00 = b0, c01 = b1, c02 = b2, c03 = b3, c10 = b0, c11 = b1, c12 = b2, c13 = b3;
      let c20 = b0, c21 = b1, c22 = b2, c23 = b3, c30 = b0, c31 = b1, c32 = b2, c33 = b3;
      let p = i * K, q = p + K, r = q + K, s = r + K;
      for (let k = base, end = base + 4 * K; k < end; k += 4) {
        const w0 = data[k], w1 = data[k + 1], w2 = data[k + 2], w3 = data[k + 3];
        const x = a[p++], y = a[q++], z = a[r++], v = a[s++];
        c00 += x * w0; c01 += x * w1; c02 += x * w2; c03 += x * w3; c10 += y * w0; c11 += y * w1; c12 += y * w2; c13 += y * w3;
        c20 += z * w0; c21 += z * w1; c22 += z * w2; c23 += z * w3; c30 += v * w0; c31 += v * w1; c32 += v * w2; c33 += v * w3;
      }
      let o = i * N + j;
      out[o] = c00; if (wide > 1) out[o + 1] = c01; if (wide > 2) out[o + 2] = c02; if (wide > 3) out[o + 3] = c03; o += N;
      out[o] = c10; if (wide > 1) out[o + 1] = c11; if (wide > 2) out[o + 2] = c12; if (wide > 3) out[o + 3] = c13; o += N;
      out[o] = c20; if (wide > 1) out[o + 1] = c21; if (wide > 2) out[o + 2] = c22; if (wide > 3) out[o + 3] = c23; o += N;
      out[o] = c30; if (wide > 1) out[o + 1] = c31; if (wide > 2) out[o + 2] = c32; if (wide > 3) out[o + 3] = c33;
    }
    for (; i < M; i++) {
      let c0 = b0, c1 = b1, c2 = b2, c3 = b3, p = i * K;
      for (let k = base, end = base + 4 * K; k < end; k += 4) {
        const x = a[p++];
        c0 += x * data[k]; c1 += x * data[k + 1]; c2 += x * data[k + 2]; c3 += x * data[k + 3];
      }
      const o = i * N + j;
      out[o] = c0; if (wide > 1) out[o + 1] = c1; if (wide > 2) out[o + 2] = c2; if (wide > 3) out[o + 3] = c3;
    }
  }
  return out;
}

// A batch: n samples of `shape`, one after the other in `data`.
const batch = (n, shape, data) => ({ n, shape, size: shape.reduce((a, b) => a * b, 1), data });
const channels = (x) => x.shape[x.shape.length - 1];

const OPS = {
  product: (op, x, y) => each(x, (v, i, at) => v * op.table[y[i] * x.size + at]),
  concat: (op, x, y) => {
    const size = x.size + op.classes, data = new Float32Array(x.n * size);
    for (let i = 0; i < x.n; i++) { data.set(x.data.subarray(i * x.size, (i + 1) * x.size), i * size); data[i * size + x.size + y[i]] = 1; }
    return batch(x.n, [size], data);
  },
  beside: (op, x, y) => {
    const size = x.size + y[0].length, data = new Float32Array(x.n * size);
    for (let i = 0; i < x.n; i++) { data.set(x.data.subarray(i * x.size, (i + 1) * x.size), i * size); data.set(y[i], i * size + x.size); }
    return batch(x.n, [size], data);
  },
  dense: (op, x) => batch(x.n, [op.w.N], matmul(x.data, x.n, op.w, op.b, new Float32Array(x.n * op.w.N))),
  map: (op, x) => batch(x.n, op.shape, x.data),
  conv: (op, x) => {
    const [H, W, C] = x.shape, N = op.w.N, data = new Float32Array(x.n * H * W * N), rows = new Float32Array(H * W * op.w.K);
    for (let i = 0; i < x.n; i++) {
      patches(x.data, i * x.size, H, W, C, op.k, op.pad, rows);
      matmul(rows, H * W, op.w, op.b, data.subarray(i * H * W * N, (i + 1) * H * W * N));
    }
    return batch(x.n, [H, W, N], data);
  },
  up: (op, x) => {
    const [H, W] = x.shape, N = op.b.length, size = H * op.n * W * op.n * N, data = new Float32Array(x.n * size), parts = new Float32Array(H * W * op.w.N);
    for (let i = 0; i < x.n; i++) {
      matmul(x.data.subarray(i * x.size, (i + 1) * x.size), H * W, op.w, null, parts);
      scatter(parts, H, W, N, op, data.subarray(i * size, (i + 1) * size));
    }
    return batch(x.n, [H * op.n, W * op.n, N], data);
  },
  repeat: (op, x) => {
    const [H, W, C] = x.shape, n = op.n, out = batch(x.n, [H * n, W * n, C], new Float32Array(x.n * x.size * n * n));
    for (let i = 0, o = 0; i < x.n; i++) for (let h = 0; h < H * n; h++) for (let w = 0; w < W * n; w++, o += C) {
      const from = i * x.size + (Math.floor(h / n) * W + Math.floor(w / n)) * C;
      for (let c = 0; c < C; c++) out.data[o + c] = x.data[from + c];
    }
    return out;
  },
  shuffle: (op, x) => {
    const [H, W, four] = x.shape, C = four / 4, out = batch(x.n, [2 * H, 2 * W, C], new Float32Array(x.data.length));
    for (let i = 0, o = 0; i < x.n; i++) for (let h = 0; h < 2 * H; h++) for (let w = 0; w < 2 * W; w++, o += C) {
      const from = i * x.size + ((h >> 1) * W + (w >> 1)) * four + (2 * (h & 1) + (w & 1)) * C;
      for (let c = 0; c < C; c++) out.data[o + c] = x.data[from + c];
    }
    return out;
  },
  sum: (op, x, y) => {
    const [a, b] = op.parts.map((ops) => run(ops, x, y)), data = new Float32Array(a.data.length);
    for (let i = 0; i < data.length; i++) data[i] = a.data[i] + b.data[i];
    return batch(a.n, a.shape, data);
  },
  affine: (op, x) => { const C = channels(x); return each(x, (v, i, at) => v * op.gain[at % C] + op.bias[at % C]); },
  "by class": (op, x, y) => { const C = channels(x); return each(x, (v, i, at) => v * op.gain[y[i] * C + at % C] + op.bias[y[i] * C + at % C]); },
  "by condition": (op, x, y) => {
    const C = channels(x), gains = y.map((c) => linked(op.gain, op.gain0, c)), biases = y.map((c) => linked(op.bias, op.bias0, c));
    return each(x, (v, i, at) => v * gains[i][at % C] + biases[i][at % C]);
  },
  norm: (op, x) => {
    const C = channels(x), groups = op["per channel"] ? C : 1, data = new Float32Array(x.data.length);
    for (let i = 0; i < x.n; i++) for (let g = 0; g < groups; g++) {
      const start = i * x.size, count = x.size / groups;
      let sum = 0, squares = 0;
      for (let at = g; at < x.size; at += groups) sum += x.data[start + at];
      const mean = sum / count;
      for (let at = g; at < x.size; at += groups) squares += (x.data[start + at] - mean) ** 2;
      const factor = 1 / Math.sqrt(squares / count + op.eps);
      for (let at = g; at < x.size; at += groups) data[start + at] = (x.data[start + at] - mean) * factor;
    }
    return batch(x.n, x.shape, data);
  },
  row: (op, x, y) => {
    const own = op.latent + op.asked, z = new Float32Array(x.n * own);
    const wanted = Array.from({ length: x.n }, () => []); // of each sample the slot + 1 that each one-hot must have
    for (let i = 0; i < x.n; i++) {
      z.set(x.data.subarray(i * x.size, i * x.size + op.latent), i * own);
      op.choices.forEach(([hot, start], a) => {
        const slot = y[i] && y[i][a] ? y[i][a].slot : 0;
        if (slot) { wanted[i][hot] = slot; z[i * own + op.latent + start + slot - 1] = 1; }
      });
    }
    const made = run(op.parts[0], batch(x.n, [own], z), y);
    for (let i = 0; i < x.n; i++) harden(op.hots, made.data.subarray(i * made.size, (i + 1) * made.size), x.data.subarray(i * x.size + op.latent, (i + 1) * x.size), wanted[i]);
    return made;
  },
  relu: (op, x) => each(x, (v) => { const u = v > 0 ? v : op.slope * v; return op.cap !== null && u > op.cap ? op.cap : u; }),
  tanh: (op, x) => each(x, Math.tanh),
};

// start + w c [C] for a vector of conditions c [W] and w [C, W].
function linked(w, start, c) {
  return start.map((sum, channel) => { for (let k = 0; k < c.length; k++) sum += w[channel * c.length + k] * c[k]; return sum; });
}

// f(value, number of the sample, place within it) for each number.
function each(x, f) {
  const data = new Float32Array(x.data.length);
  for (let i = 0, o = 0; i < x.n; i++) for (let at = 0; at < x.size; at++, o++) data[o] = f(x.data[o], i, at);
  return batch(x.n, x.shape, data);
}

// rows [H * W, k * k * C]: what a 'same' convolution sees at each pixel, zeros beyond the border.
function patches(data, start, H, W, C, k, [top, left], rows) {
  if (k === 1) { rows.set(data.subarray(start, start + H * W * C)); return; }
  for (let h = 0, o = 0; h < H; h++) for (let w = 0; w < W; w++) for (let a = h - top; a < h - top + k; a++) for (let b = w - left; b < w - left + k; b++, o += C) {
    if (a < 0 || b < 0 || a >= H || b >= W) rows.fill(0, o, o + C);
    else { const from = start + (a * W + b) * C; for (let c = 0; c < C; c++) rows[o + c] = data[from + c]; }
  }
}

// Add what each low-resolution pixel gives to the k x k pixels around its place, and the bias.
function scatter(parts, H, W, N, op, out) {
  const tall = H * op.n, wide = W * op.n;
  for (let o = 0; o < out.length; o += N) for (let c = 0; c < N; c++) out[o + c] = op.b[c];
  for (let h = 0, from = 0; h < H; h++) for (let w = 0; w < W; w++) for (let a = 0; a < op.k; a++) for (let b = 0; b < op.k; b++, from += N) {
    const i = h * op.n - op.crop + a, j = w * op.n - op.crop + b;
    if (i < 0 || j < 0 || i >= tall || j >= wide) continue;
    const to = (i * wide + j) * N;
    for (let c = 0; c < N; c++) out[to + c] += parts[from + c];
  }
}

function run(ops, x, y) { return ops.reduce((now, op) => OPS[op.op](op, now, y), x); }

// Kernels packed, other numbers as views: what run() takes.
function prepare(ops, numbers) {
  return ops.map((op) => {
    const ready = { ...op };
    for (const [name, value] of Object.entries(op)) {
      if (name === "w") ready.w = pack(value, numbers);
      else if (name === "parts") ready.parts = value.map((part) => prepare(part, numbers));
      else if (value !== null && typeof value === "object" && !Array.isArray(value)) ready[name] = numbers.floats.subarray(value.at, value.at + value.length);
    }
    return ready;
  });
}

// A generator: sample(z, y) of n latents in one Float32Array and their labels, or vectors of conditions, gives [n, H, W, C] or [n, D].
function makeGenerator(model, base64) {
  const ops = prepare(model.ops, unpack(base64, model.floats));
  return (z, y) => run(ops, batch(z.length / model.latent, [model.latent], z), y).data;
}

// Uniform numbers in [0, 1) that are the same for a seed, a sample and a purpose on every machine (sfc32).
function stream(seed, index, purpose) {
  let a = seed >>> 0, b = Math.floor(seed / 4294967296) >>> 0, c = index >>> 0, d = purpose;
  const next = () => { const t = (((a + b) | 0) + d) | 0; d = (d + 1) | 0; a = b ^ (b >>> 9); b = (c + (c << 3)) | 0; c = (((c << 21) | (c >>> 11)) + t) | 0; return (t >>> 0) / 4294967296; };
  for (let i = 0; i < 20; i++) next();
  return next;
}

// The latent of sample `index` of a seed: standard normal numbers (Box and Muller).
function latent(seed, index, count) {
  const next = stream(seed, index, 1), z = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const r = Math.sqrt(-2 * Math.log(1 - next())), angle = 2 * Math.PI * next();
    z[i] = r * Math.cos(angle);
    if (i + 1 < count) z[i + 1] = r * Math.sin(angle);
  }
  return z;
}

// Conditions as a network is told them: numbers standardised, a 1 at the place of a level (wgan/data/conditions.py).
function encode(conditions, codes) {
  return Float32Array.from(conditions.flatMap((c, i) => c.levels.length ? c.levels.map((_, k) => k === codes[i] ? 1 : 0) : [(codes[i] - c.mean) / c.scale]));
}

// The great arc from a to b at t in [0, 1]; lengths are blended (Shoemake 1985).
function slerp(a, b, t) {
  const length = (v) => Math.sqrt(v.reduce((sum, x) => sum + x * x, 0)), la = length(a), lb = length(b);
  const cosine = Math.min(1, Math.max(-1, a.reduce((sum, x, i) => sum + x * b[i], 0) / (la * lb))), omega = Math.acos(cosine), s = Math.sin(omega);
  const [u, v] = s < 1e-4 ? [1 - t, t] : [Math.sin((1 - t) * omega) / s, Math.sin(t * omega) / s], size = la + (lb - la) * t;
  return a.map((x, i) => s < 1e-4 ? u * x + v * b[i] : size * (u * x / la + v * b[i] / lb));
}
