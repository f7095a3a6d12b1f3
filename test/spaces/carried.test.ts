/**
 * Fingerprints in a file: what is written is read back bit for bit, and an incomplete file is refused before a gateway starts with it.
 */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCarried, writeCarried } from "../../src/config/carried-fingerprints";
import type { Fingerprint } from "../../src/domain/fingerprint";
import { PROBES, PROBES_VERSION } from "../../src/domain/probes";
import { rightModel } from "./vendors";

const FINGERPRINT: Fingerprint = {
  space: "m",
  dimensions: 8,
  provider: "a",
  model: "m-v1",
  measuredAt: 1_790_000_000_000,
  paidAt: null,
  confirmed: false,
  vectors: PROBES.map(({ text, kind }) => (kind === "a long text" ? undefined : rightModel(text))),
};
const WRITTEN: unknown = JSON.parse(writeCarried([FINGERPRINT]));

test("an exported file is read back bit for bit", () => {
  expect(readCarried(writeCarried([FINGERPRINT]))).toEqual({
    ok: true,
    fingerprints: [{ ...FINGERPRINT, source: "carried" }],
  });
  expect(readCarried(writeCarried([]))).toEqual({ ok: true, fingerprints: [] });
});

const changed = (change: (file: { probes: unknown; spaces: Record<string, unknown>[] }) => void) => {
  const file = structuredClone(Object(WRITTEN));
  change(file);
  return JSON.stringify(file);
};

const base64Of = (...numbers: number[]) => new Uint8Array(Float32Array.from(numbers).buffer).toBase64();

describe("refused, with the place", () => {
  test.each([
    ["no JSON", "{", "is not JSON"],
    ["an empty file", "", "is not JSON"],
    ["a list", "[]", "/: "],
    ["other probe texts", changed((file) => (file.probes = PROBES_VERSION + 1)), "other probe texts"],
    ["a key too many", changed((file) => (file.spaces[0] = { ...file.spaces[0], x: 1 })), "/spaces/0/x"],
    ["a vector too few", changed(({ spaces: [one] }) => Object(one).vectors.pop()), "/spaces/0/vectors"],
    [
      "a vector cut short",
      changed(({ spaces: [one] }) => (Object(one).vectors[3] = "AAAA")),
      "/spaces/0/vectors",
    ],
    ["another size", changed(({ spaces: [one] }) => (Object(one).dimensions = 9)), "/spaces/0/vectors"],
    ["no vector at all", changed(({ spaces: [one] }) => Object(one).vectors.fill(null)), "/spaces/0/vectors"],
    [
      "a number that is not finite",
      changed(({ spaces: [one] }) => (Object(one).vectors[3] = base64Of(Number.NaN, 1, 1, 1, 1, 1, 1, 1))),
      "/spaces/0/vectors: one holds a number that is not finite",
    ],
    [
      "only zeros",
      changed(({ spaces: [one] }) => (Object(one).vectors[3] = base64Of(0, 0, 0, 0, 0, 0, 0, 0))),
      "/spaces/0/vectors: one holds",
    ],
    ["no time", changed(({ spaces: [one] }) => (Object(one).measured_at = "then")), "/spaces/0/measured_at"],
    ["a space twice", changed(({ spaces }) => spaces.push(Object(spaces[0]))), "/spaces/1/space"],
  ])("%s", (_, text, words) => {
    const read = readCarried(text);
    expect(read).toMatchObject({ ok: false });
    expect(Object(read).message).toContain(words);
    expect(Object(read).message).toContain("spaces export");
  });
});

/** Runs the command as a process: its exit code, and its output. */
function run(folder: string, ...command: readonly string[]) {
  const main = join(import.meta.dir, "../../src/main.ts");
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, main, ...command], { cwd: folder });
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

test("check refuses a missing or damaged file, with the line that names it; an exported file is valid", () => {
  const folder = mkdtempSync(join(tmpdir(), "embedgate-carried-"));
  try {
    const yaml = (file: string) => `database: "sqlite:./eg.db"\nspace_fingerprints: ${file}\n`;
    writeFileSync(join(folder, "gateway.yaml"), yaml("./none.json"));
    expect(run(folder, "check")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(
        "gateway.yaml:2:21: space_fingerprints: ./none.json: there is no such file",
      ),
    });
    writeFileSync(join(folder, "spaces.json"), "{}");
    writeFileSync(join(folder, "gateway.yaml"), yaml("./spaces.json"));
    expect(run(folder, "check")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("spaces.json: /"),
    });
    writeFileSync(join(folder, "spaces.json"), writeCarried([FINGERPRINT]));
    expect(run(folder, "check").exitCode).toBe(0);
    // It creates no database of its own.
    run(folder, "keys", "create", "--name", "first");
    const exported = run(folder, "spaces", "export").stdout;
    expect(JSON.parse(exported)).toEqual(WRITTEN);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
