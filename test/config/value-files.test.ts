/**
 * `${file:PATH}` and public_key_file: a file's content becomes the value, and never a part of a message. cases.test.ts has missing and
 * doubtful files.
 */
import { describe, expect, test } from "bun:test";
import { chmodSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { makeKey } from "../callers/issuer";
import { type Folder, makeFolder, told } from "./loading";

const MODELS = "models: { m: { routes: [ { provider: a } ] } }\n";
const withKey = (value: string) => `providers:\n  a: { plugin: openai, api_key: ${value} }\n${MODELS}`;

async function optionsOf(folder: Folder, yaml: string) {
  folder.write("gateway.yaml", yaml);
  const loaded = await folder.load({ environment: { REGION: "eu" } });
  if (!loaded.ok) return told(loaded);
  return loaded.config.providers.get("a")?.options;
}

describe("a value from a file", () => {
  test.each([
    ["a line break at its end", "sk-1\n"],
    ["two, as Windows writes them", "sk-1\r\n\r\n"],
    ["blanks around it", "  sk-1\t \n"],
    ["a byte order mark", "\uFEFFsk-1\n"],
    ["nothing else", "sk-1"],
  ])("is taken without what surrounds it: %s", async (_, text) => {
    using folder = makeFolder();
    folder.write("secrets/key", text);
    expect(await optionsOf(folder, withKey("${file:secrets/key}"))).toMatchObject({ api_key: "sk-1" });
  });

  test("may be part of a text, be in quotes or have a default", async () => {
    using folder = makeFolder();
    folder.write("host", "ours.example\n");
    const yaml = `providers:
  a: { plugin: openai, api_key: "\${file:./none:-sk-2}", base_url: "https://\${file:host}/\${REGION}" }\n${MODELS}`;
    expect(await optionsOf(folder, yaml)).toEqual({
      api_key: "sk-2",
      base_url: "https://ours.example/eu",
    });
  });

  test("may be a number, and may be behind a link as in Kubernetes", async () => {
    using folder = makeFolder();
    folder.write("..2026/batch", "7\n");
    symlinkSync("..2026", join(folder.path, "..data"));
    const yaml = `providers:\n  a: { plugin: openai, api_key: k, batch: "\${file:..data/batch}" }\n${MODELS}`;
    expect(await optionsOf(folder, yaml)).toMatchObject({ batch: 7 });
  });

  test("is listed among the configuration's files, even if it is missing", async () => {
    using folder = makeFolder();
    folder.write("gateway.yaml", withKey("${file:./none}"));
    const loaded = await folder.load();
    expect(loaded.ok && [...loaded.config.files.keys()]).toEqual([
      join(folder.path, "gateway.yaml"),
      join(folder.path, "none"),
    ]);
  });

  test("is not read if its syntax is escaped", async () => {
    using folder = makeFolder();
    expect(await optionsOf(folder, withKey('"$${file:secrets/key}"'))).toMatchObject({
      api_key: "${file:secrets/key}",
    });
  });

  test("is never shown if it is invalid", async () => {
    using folder = makeFolder();
    folder.write("batch", "sk-secret\n");
    const yaml = `providers:\n  a: { plugin: openai, api_key: k, batch: "\${file:batch}" }\n${MODELS}`;
    const said = String(await optionsOf(folder, yaml));
    expect(said).toContain("what ${file:batch} stands for");
    expect(said).not.toContain("sk-secret");
  });

  test.each<[string, (folder: Folder) => void]>([
    ["is a folder", (folder) => folder.write("key/inner", "x")],
    ["is not UTF-8 text", (folder) => folder.write("key", Uint8Array.of(0xff, 0xfe, 0x80))],
    ["is larger than 256 KB", (folder) => folder.write("key", "x".repeat(300_000))],
    ["is empty", (folder) => folder.write("key", " \n")],
  ])("leaves its provider unconfigured where the file %s", async (reason, make) => {
    using folder = makeFolder();
    make(folder);
    folder.write("gateway.yaml", withKey("${file:key}"));
    const loaded = await folder.load();
    expect(loaded.ok && loaded.notes.map(({ message }) => message)).toEqual([
      expect.stringContaining(`its models are not served: the file key ${reason}`),
    ]);
  });
});

describe("an issuer's key from a file", () => {
  const key = makeKey("one");
  const yaml = `auth: { jwt: { public_key_file: ./keys/jwt.pem } }\n${withKey("k")}`;

  test("equals public_key, and its file is watched", async () => {
    using folder = makeFolder();
    folder.write("keys/jwt.pem", key.pem);
    folder.write("gateway.yaml", yaml);
    const loaded = await folder.load();
    if (!loaded.ok) throw new Error(told(loaded));
    expect(loaded.config.auth.jwt).toEqual({ public_key: key.pem });
    expect([...loaded.config.files.keys()]).toContain(join(folder.path, "keys/jwt.pem"));
  });

  test("is refused and named if it contains no key", async () => {
    using folder = makeFolder();
    folder.write("keys/jwt.pem", "secret words");
    folder.write("gateway.yaml", yaml);
    const said = told(await folder.load());
    expect(said).toContain("auth.jwt.public_key_file: the file ./keys/jwt.pem: expected a public key in PEM");
    expect(said).not.toContain("secret words");
  });

  test("is refused and named if this user may not read it", async () => {
    if (process.getuid?.() === 0) return;
    using folder = makeFolder();
    folder.write("keys/jwt.pem", key.pem);
    chmodSync(join(folder.path, "keys/jwt.pem"), 0);
    folder.write("gateway.yaml", yaml);
    expect(told(await folder.load())).toContain("cannot be read (permission denied)");
  });
});
