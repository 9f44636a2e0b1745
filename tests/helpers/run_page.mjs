// Runs the generator of an exported page outside a browser: node run_page.mjs PAGE.html LATENTS.json > SAMPLES.json
import { readFileSync } from "node:fs";
import vm from "node:vm";
const page = readFileSync(process.argv[2], "utf8"), asked = JSON.parse(readFileSync(process.argv[3], "utf8"));
const inside = (id) => page.match(new RegExp(`<script[^>]* id="${id}"[^>]*>([\\s\\S]*?)</script>`))[1];
const space = vm.createContext({ atob, console });
vm.runInContext(inside("engine"), space);
space.given = { model: JSON.parse(inside("model")), weights: inside("weights").trim(), z: asked.z.flat(), y: asked.y, codes: asked.codes };
const answer = vm.runInContext(`{
  const generate = makeGenerator(given.model, given.weights), x = generate(new Float32Array(given.z), given.y);
  const n = given.z.length / given.model.latent, size = x.length / n;
  const rows = given.model.units && Array.from({ length: n }, (_, i) => inUnits(given.model.units, x.subarray(i * size, (i + 1) * size)));
  const parts = Array.from({ length: n }, (_, i) => x.subarray(i * size, (i + 1) * size)), any = given.model.table;
  const cells = any && parts.map((x) => codesOf(any.columns, x).map((code, i) => textOf(any.columns[i], code)));
  const encoded = given.codes.map((codes) => [...encode(given.model.conditions, codes)]);
  JSON.stringify({ encoded, x: [...x], rows, cells, first: [...latent(3, 0, 2000)], again: [...latent(3, 0, 7)], other: [...latent(3, 1, 7)] });
}`, space);
process.stdout.write(answer);
