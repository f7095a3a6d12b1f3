/** Common first mistakes: they are reported before anything is read, sent or replaced; and very small inputs work. */
import { afterAll, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { temporaryFolder } from "../serving";
import { readNpy, routingFile, runJob, startProvider } from "./job";

const provider = startProvider();
const scratch = temporaryFolder({ "gateway.yaml": routingFile(provider), "plain.txt": "one\ntwo\n" });
const folder = scratch.path;
afterAll(() => {
  provider[Symbol.dispose]();
  scratch[Symbol.dispose]();
});

let outputs = 0;
const newOutput = (ending = "npy") => `out-${outputs++}.${ending}`;
const put = (name: string, text: string | Uint8Array) => Bun.write(join(folder, name), text);
const errorsOf = (out: string) =>
  readFileSync(join(folder, `${out}.errors.jsonl`), "utf8")
    .trim()
    .split("\n");
const besides = (out: string) => readdirSync(folder).filter((name) => name.startsWith(`${out}.`));

test("OUT is never an input: a file that is both is refused and kept, a glob leaves out OUT and what lies beside it", async () => {
  const own = '{"text":"one"}\n';
  await put("both.jsonl", own);
  const both = await runJob(folder, ["both.jsonl", "--model", "m", "--out", "./both.jsonl", "--overwrite"]);
  expect([both.code, both.errors]).toEqual([2, expect.stringContaining("both.jsonl is an input too")]);
  expect(readFileSync(join(folder, "both.jsonl"), "utf8")).toBe(own);
  const args = ["both*.jsonl", "--model", "m", "--out", "both-out.jsonl", "--overwrite"];
  await put("both.jsonl", `${own}{"text":5}\n`);
  for (const _ of [1, 2]) {
    expect((await runJob(folder, args)).code).toBe(3);
    expect(readFileSync(join(folder, "both-out.jsonl"), "utf8").trim().split("\n")).toHaveLength(2);
  }
});

test.each([
  ["a folder", ["."], "is a folder: name its files, such as './*.jsonl'"],
  ["a glob that finds nothing", ["nothing-*.txt"], "No file matches nothing-*.txt"],
  ["a Parquet file that is empty", ["empty.parquet"], "empty.parquet is not a Parquet file"],
  ["a key without a gateway that it is for", ["plain.txt", "--key", "sk"], "--key: requires --url"],
  ["two answers to one question", ["plain.txt", "--resume", "--overwrite"], "--resume and --overwrite"],
  ["no dimensions at all", ["plain.txt", "--dimensions", "0"], "--dimensions: expected 1 or more"],
])("%s is wrong usage", async (_, args, words) => {
  await put("empty.parquet", "");
  const out = newOutput();
  const { code, errors } = await runJob(folder, [...args, "--model", "m", "--out", out]);
  expect([code, errors]).toEqual([2, expect.stringContaining(words)]);
  expect(besides(out)).toEqual([]);
});

test("a folder that is not there, and a model that nobody serves, are said in words", async () => {
  const nowhere = await runJob(folder, ["plain.txt", "--model", "m", "--out", "no/such/v.npy"]);
  expect([nowhere.code, nowhere.errors]).toEqual([
    2,
    expect.stringContaining("--out: the folder no/such does not exist"),
  ]);
  const out = newOutput();
  const model = await runJob(folder, ["plain.txt", "--model", "nope", "--out", out]);
  expect([model.code, model.errors]).toEqual([1, expect.stringContaining("'embedgate models' lists")]);
  expect(besides(out)).toEqual([]);
});

test("a job whose first call is refused leaves nothing to go on with", async () => {
  const out = newOutput();
  const { code, errors } = await runJob(folder, [
    ...["plain.txt", "--model", "m", "--out", out],
    ...["--input-type", "no such task"],
  ]);
  expect([code, errors.includes("--resume")]).toEqual([1, false]);
  expect(besides(out)).toEqual([]);
});

test("one row is told in the singular", async () => {
  await put("single.txt", "only\n");
  const { errors } = await runJob(folder, ["single.txt", "--model", "m", "--out", newOutput()]);
  for (const words of ["1 row of 8 dimensions", "1 token,", "(1 call,"]) expect(errors).toContain(words);
});

test.each(["npy", "parquet", "jsonl", "f32"])("no row is an output without rows: %s", async (ending) => {
  const out = newOutput(ending);
  await put("none.txt", "");
  await put("blank.txt", "\n\n");
  const args = ["--model", "sized", "--out", out, "--overwrite"];
  const none = await runJob(folder, ["none.txt", ...args]);
  expect([none.code, none.errors]).toEqual([0, expect.stringContaining("0 rows of 8 dimensions")]);
  const rows = async () =>
    ending === "npy"
      ? (await readNpy(join(folder, out))).rows
      : ending === "parquet"
        ? parquetReadObjects({ file: await asyncBufferFromFile(join(folder, out)) })
        : readFileSync(join(folder, out), "utf8").split("\n").slice(0, -1);
  expect(await rows()).toEqual([]);
  // Rows without a text have no vector.
  expect((await runJob(folder, ["blank.txt", ...args])).code).toBe(3);
  if (ending !== "f32") expect(await rows()).toHaveLength(2);
  expect(errorsOf(out)).toHaveLength(2);
  // With unknown dimensions nothing can be written.
  const unknown = await runJob(folder, ["none.txt", "--model", "m", "--out", newOutput(ending)]);
  expect([unknown.code, unknown.errors]).toEqual([1, expect.stringContaining("There is no text to embed")]);
});
