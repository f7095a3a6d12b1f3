/**
 * SIGKILL in the middle of `embedgate embed`: what is in the journal is never paid again, and at the end every row has its own vector.
 * EMBEDGATE_KILLS is the number of kills (3), EMBEDGATE_SEED the seed: a failure prints both.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fakeOutside } from "../fake-outside";
import { temporaryFolder, vectorOf } from "../serving";
import { query } from "../stores/query";
import { readNpy, routingFile, startJob, startProvider } from "./job";

const KILLS = Number(process.env.EMBEDGATE_KILLS ?? 3);
const SEED = Number(process.env.EMBEDGATE_SEED ?? Math.floor(Math.random() * 2 ** 32));
const ROWS = 16 * 200;
const CONCURRENCY = 4;
const ARGS = ["in.txt", "--model", "m", "--out", "out.npy", "--concurrency", String(CONCURRENCY), "--resume"];

const textOf = (row: number) => `row ${row}`;

/** Rows whose chunk is in the journal: 16 texts each, in the rows' order. */
function journaled(folder: string): Set<string> {
  const lines = readFileSync(join(folder, "out.npy.journal"), "utf8").split("\n").slice(0, -1);
  const chunks = lines.flatMap((line) =>
    [...line.matchAll(/"chunk":(\d+)/g)].map(([, chunk]) => Number(chunk)),
  );
  return new Set(
    chunks.flatMap((chunk) => Array.from({ length: 16 }, (_, place) => textOf(chunk * 16 + place))),
  );
}

test(
  `${KILLS} kills at points chosen by the seed ${SEED}: nothing is paid twice but calls in flight`,
  async () => {
    const { random } = fakeOutside({}, SEED).outside;
    const lines = Array.from({ length: ROWS }, (_, row) => textOf(row));
    using folder = temporaryFolder({ "in.txt": `${lines.join("\n")}\n` });
    let killAt = 0;
    let reached = () => {};
    let seen = 0;
    using provider = startProvider(() => {
      seen += 1;
      if (seen === killAt) reached();
    });
    folder.write("gateway.yaml", routingFile(provider));
    let done = new Set<string>();
    for (let kill = 0; kill < KILLS; kill++) {
      const at = Promise.withResolvers<void>();
      reached = at.resolve;
      seen = 0;
      killAt = 5 + Math.floor(random() * 40);
      const before = provider.paid.length;
      const job = startJob(folder.path, ARGS);
      await Promise.race([at.promise, job.ended.then(({ errors }) => Promise.reject(new Error(errors)))]);
      job.signal("SIGKILL");
      await job.ended;
      expect(provider.paid.slice(before).filter((text) => done.has(text))).toEqual([]);
      done = journaled(folder.path);
    }
    killAt = 0;
    const before = provider.paid.length;
    const { code, errors } = await startJob(folder.path, ARGS).ended;
    expect([code, code === 0 ? "" : errors]).toEqual([0, ""]);
    expect(provider.paid.slice(before).filter((text) => done.has(text))).toEqual([]);
    expect(new Set(provider.paid)).toEqual(new Set(lines));
    expect(done.size).toBeGreaterThan(0);
    // A kill causes only what was in flight to be paid again.
    expect(provider.paid.length - ROWS).toBeLessThanOrEqual(KILLS * CONCURRENCY * 16);
    const { header, rows } = await readNpy(join(folder.path, "out.npy"));
    expect(header).toContain(`'descr': '<f4', 'fortran_order': False, 'shape': (${ROWS}, 8)`);
    // The gateway leaves vectors unchanged if nothing says that they are normalised.
    expect(rows).toEqual(lines.map((line) => vectorOf(line)));
    // The holds of the killed runs are settled.
    expect(await query(folder.path, "SELECT * FROM ledger WHERE status = 0 AND error IS NULL")).toEqual([]);
  },
  30_000 + KILLS * 10_000,
);
