/**
 * A process of ring.test.ts: keeps and looks up entries of a few hundred keys in the ring that it inherits, and prints what it found.
 * A key's entry depends on its number only, so every find can be checked.
 */
import { openRing } from "../../src/cache/ring";
import { realOutside } from "../../src/network/real-outside";
import { entry, keyOf, written } from "./made";

const [descriptor = "3", bytes = "0", rounds = "0", seed = "1"] = process.argv.slice(2);
const ring = openRing({ descriptor: Number(descriptor), bytes: Number(bytes) }, realOutside);
let state = Number(seed);
let found = 0;
let wrong = 0;
for (let round = 0; round < Number(rounds); round++) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  const number = state % 400;
  const expected = entry(number, 16 + (number % 300));
  if (state % 3 === 0) ring?.keep(keyOf(number), expected);
  const got = ring?.find(keyOf(number));
  if (got === undefined) continue;
  found += 1;
  if (JSON.stringify(written(got)) !== JSON.stringify(written(expected))) wrong += 1;
}
console.log(JSON.stringify({ found, wrong }));
