// How fast the generator of an exported page is: node serving_page.mjs PAGE.html ROUNDS > MEDIANS.json
import { readFileSync } from "node:fs";
import vm from "node:vm";
const page = readFileSync(process.argv[2], "utf8"), rounds = +process.argv[3];
const inside = (id) => page.match(new RegExp(`<script[^>]* id="${id}"[^>]*>([\\s\\S]*?)</script>`))[1];
const space = vm.createContext({ atob, console, performance });
vm.runInContext(inside("engine"), space);
space.processor = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
space.given = { model: JSON.parse(inside("model")), weights: inside("weights").trim(), rounds };
process.stdout.write(vm.runInContext(`{
  const { model, weights } = given;
  const start = performance.now(), generate = makeGenerator(model, weights), answer = { seconds_to_load: (performance.now() - start) / 1000 };
  const timed = (work) => { const start = performance.now(), used = processor(); work(); return [(performance.now() - start) / 1000, processor() - used]; };
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  for (const n of [64, 1]) {
    const usual = model.conditions.map((c) => c.levels.length ? c.levels.indexOf(c.example) : c.example);
    const told = Array.from({ length: n }, (_, i) => usual.length ? encode(model.conditions, usual) : i % Math.max(1, model.classes.length));
    const z = Float32Array.from(Array.from({ length: n }, (_, i) => [...latent(3, i, model.latent)]).flat());
    const rounds = Array.from({ length: given.rounds }, () => timed(() => generate(z, told)));
    answer["seconds_for_" + n] = median(rounds.map((pair) => pair[0]));
    answer["processor_seconds_for_" + n] = median(rounds.map((pair) => pair[1]));
  }
  JSON.stringify(answer);
}`, space));
