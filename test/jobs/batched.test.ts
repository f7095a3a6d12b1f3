/** `embedgate embed --via batch`: through the Batch API of a running gateway, row by row; a kill does not cause calls in flight to be paid again. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { startServing, temporaryFolder, vectorOf } from "../serving";
import { readNpy, routingFile, startJob, startProvider } from "./job";

const ROWS = 700;
const textOf = (row: number) => `row ${row}`;
const lines = Array.from({ length: ROWS }, (_, row) => (row === 5 ? "bad" : textOf(row)));

test("every row has its vector, and a killed job continues with the same batch", async () => {
  using folder = temporaryFolder({ "in.txt": `${lines.join("\n")}\n` });
  const paid = Promise.withResolvers<void>();
  using provider = startProvider(
    () => paid.resolve(),
    (text) => (text === "bad" ? "it is bad" : undefined),
  );
  folder.write("gateway.yaml", routingFile(provider));
  await using gateway = await startServing(folder.path);
  const args = [
    "in.txt",
    "--model",
    "m",
    "--out",
    "out.npy",
    "--url",
    `${gateway.url}/v1`,
    "--via",
    "batch",
    "--resume",
  ];
  const killed = startJob(folder.path, args);
  await paid.promise;
  killed.signal("SIGKILL");
  await killed.ended;
  const { code, errors } = await startJob(folder.path, args).ended;
  expect([code, code === 3 ? "" : errors]).toEqual([3, ""]);
  const { rows } = await readNpy(join(folder.path, "out.npy"));
  expect(rows.length).toBe(ROWS);
  for (const [row, vector] of rows.entries())
    if (row !== 5) expect([...vector]).toEqual(vectorOf(textOf(row)));
  const left = await Bun.file(join(folder.path, "out.npy.errors.jsonl")).json();
  expect(left).toMatchObject({ row: 5, reason: expect.stringContaining("it is bad") });
  // No text was paid twice.
  expect(provider.paid.length).toBe(new Set(provider.paid).size);
  expect(provider.paid.length).toBe(ROWS - 1);
  const batches: { data: unknown[] } = await (await fetch(`${gateway.url}/v1/batches`)).json();
  expect(batches.data.length).toBe(1);
}, 60_000);

test("needs a gateway to call", async () => {
  using folder = temporaryFolder({ "in.txt": "a\n" });
  const { code, errors } = await startJob(folder.path, [
    "in.txt",
    "--model",
    "m",
    "--out",
    "o.npy",
    "--via",
    "batch",
  ]).ended;
  expect([code, errors.includes("--url")]).toEqual([2, true]);
});
