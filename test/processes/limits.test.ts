/**
 * Rate limits that several processes keep together: what all of them take of a bucket is what one could have.
 * The buckets themselves are tested with requests, in test/api/credits.test.ts.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { openClaims, wordsFor } from "../../src/processes/claims";
import { createRegionFile } from "../../src/processes/region";
import { postTo, startServing, startUpstream, temporaryFolder } from "../serving";
import { byTwo } from "./copies";

const LINUX = process.platform === "linux";

test.skipIf(!LINUX)("four processes that hammer one bucket take exactly what is in it", async () => {
  const region = createRegionFile(`test-${process.pid}`);
  const children = Array.from({ length: 4 }, () =>
    Bun.spawn([process.execPath, join(import.meta.dir, "takes-much.ts"), "20000", "30000"], {
      stdio: ["ignore", "pipe", "inherit", region.descriptor],
    }),
  );
  const taken = await Promise.all(
    children.map(async ({ stdout }) => Number(await new Response(stdout).text())),
  );
  region.close();
  expect(taken.reduce((sum, one) => sum + one, 0)).toBe(30_000);
});

test.skipIf(!LINUX)("two processes let through what one would", async () => {
  using upstream = startUpstream();
  using folder = temporaryFolder({
    "gateway.yaml": byTwo(upstream, "workspace_defaults: { requests_per_minute: 2 }\n"),
  });
  await using child = await startServing(folder.path);
  const statuses = await Promise.all(
    Array.from(
      { length: 64 },
      async (_, i) => (await postTo(child.url, { model: "m", input: `${i}` })).status,
    ),
  );
  expect(statuses.filter((status) => status === 200)).toHaveLength(2);
  expect(statuses.filter((status) => status === 429)).toHaveLength(62);
});

test("a table that is full gives the place of what may go, and no other", () => {
  const { placeOf, values } = openClaims(new BigInt64Array(wordsFor(8)), (value) => value === 0n);
  const places = new Set(Array.from({ length: 8 }, (_, i) => placeOf(`name ${i}`)));
  expect(places.size).toBe(8);
  for (const place of places) Atomics.store(values, place ?? -1, 1n);
  expect(placeOf("another")).toBeUndefined();
  expect(placeOf("name 3")).toBeNumber();
  Atomics.store(values, placeOf("name 3") ?? -1, 0n);
  expect(placeOf("another")).toBeNumber();
});
