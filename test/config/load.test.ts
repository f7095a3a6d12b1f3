/**
 * How a routing file is found and read, and what is used if there is none.
 * Messages about a file's content are tested by the golden cases (cases.test.ts).
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeCarried } from "../../src/config/carried-fingerprints";
import { formatProblem } from "../../src/config/load";
import { fileState } from "../../src/machine/file-state";
import { makeFolder, RIGHT_FILE, told } from "./loading";

describe("without --config", () => {
  test("no file means the built-in model, on loopback, with the database in the current folder", async () => {
    using folder = makeFolder();
    const loaded = await folder.load();
    if (!loaded.ok) throw new Error(told(loaded));
    const { config, notes } = loaded;
    expect(notes).toEqual([]);
    expect(config.file).toBeUndefined();
    expect(config.folder).toBe(folder.path);
    expect(config.server).toEqual({
      host: "127.0.0.1",
      port: 8080,
      dialect: "openai",
      policies: {},
      default_model: undefined,
      cors: undefined,
      deadline_ms: 60_000,
      max_attempts: 4,
      max_concurrent_requests: 10_000,
      drain_ms: 5_000,
      grace_ms: 20_000,
      idle_timeout_ms: 75_000,
      send_timeout_ms: 60_000,
      max_unsent_mb: 256,
      max_body_memory_mb: 512,
      max_body_mb: 64,
      tls: undefined,
      processes: 1,
    });
    expect(config.database.path).toBe(join(folder.path, "data/embedgate.db"));
    expect(config.auth.mode).toBe("auto");
    expect(config.providers.get("local")?.provider.id).toBe("local");
    expect([...config.models.keys()]).toEqual(["all-MiniLM-L6-v2"]);
  });

  test("a file that is written later is noticed", async () => {
    using folder = makeFolder();
    const loaded = await folder.load();
    if (!loaded.ok) throw new Error(told(loaded));
    const usual = join(folder.path, "gateway.yaml");
    expect([...loaded.config.files]).toEqual([[usual, await fileState(usual)]]);
    folder.write("gateway.yaml", RIGHT_FILE);
    expect(loaded.config.files.get(usual)).not.toBe(await fileState(usual));
  });

  test("the number of processes is one if the system cannot share a port, and more are refused there", async () => {
    using folder = makeFolder();
    const machine = { cores: 4, sharesPorts: false, memoryBytes: 2 ** 30 };
    folder.write("gateway.yaml", `server: { processes: auto }\n${RIGHT_FILE}`);
    const loaded = await folder.load({ machine });
    expect(loaded.ok && loaded.config.server.processes).toBe(1);
    folder.write("gateway.yaml", `server: { processes: 2 }\n${RIGHT_FILE}`);
    expect(told(await folder.load({ machine }))).toContain("this operating system cannot share a port");
  });

  test("gateway.yaml of the current folder is used", async () => {
    using folder = makeFolder();
    folder.write("gateway.yaml", `server: { port: 9000 }\n${RIGHT_FILE}`);
    const loaded = await folder.load();
    expect(loaded.ok && loaded.config.server.port).toBe(9000);
    expect(loaded.ok && loaded.config.file).toBe("gateway.yaml");
  });

  test("a gateway.yaml that cannot be read is refused, not replaced by the default", async () => {
    using folder = makeFolder();
    folder.write("gateway.yaml/inner", "");
    expect(told(await folder.load())).toBe("gateway.yaml: is a folder, not a file; name the file in it");
  });

  test("the repository's own gateway.yaml equals the default without a file", async () => {
    using folder = makeFolder();
    const withoutFile = await folder.load();
    folder.write("gateway.yaml", readFileSync(join(import.meta.dir, "../../gateway.yaml")));
    const withFile = await folder.load();
    if (!withoutFile.ok || !withFile.ok) throw new Error(told(withFile));
    expect(withFile.notes).toEqual([]);
    for (const key of [
      "folder",
      "server",
      "database",
      "auth",
      "cache",
      "workspaceDefaults",
      "models",
    ] as const) {
      expect(withFile.config[key]).toEqual(withoutFile.config[key]);
    }
    expect([...withFile.config.providers.keys()]).toEqual([...withoutFile.config.providers.keys()]);
  });

  test("every commented line of the repository's gateway.yaml is valid once its # is removed", async () => {
    using folder = makeFolder();
    const text = readFileSync(join(import.meta.dir, "../../gateway.yaml"), "utf8");
    folder.write("gateway.yaml", text.replaceAll(/^( *)# (?=\S+: | {2}\S|[\w*/-]+:)/gm, "$1"));
    folder.write(
      "plugins/in-house.ts",
      'export default ({ t, provider }) => provider({ id: "in-house", options: t.Object({ base_url: t.String() }), open: () => ({}) });',
    );
    folder.write("spaces.json", writeCarried([]));
    const loaded = await folder.load({ environment: { OPENAI_API_KEY: "x" } });
    expect(told(loaded)).toBe("ok");
    expect(loaded.ok && [...loaded.config.models.keys()].length).toBeGreaterThan(4);
  });
});

describe("with --config", () => {
  test("a missing file is refused, even if there is a gateway.yaml", async () => {
    using folder = makeFolder();
    folder.write("gateway.yaml", RIGHT_FILE);
    const loaded = await folder.load({ file: "other.yaml" });
    expect(told(loaded)).toBe(
      "other.yaml: does not exist; name another with --config, or leave --config out",
    );
  });

  test("messages name a file by the given path, and relative paths start at its folder", async () => {
    using folder = makeFolder();
    folder.write("etc/gate.yaml", `database: sqlite:x.db\n${RIGHT_FILE}`);
    const loaded = await folder.load({ file: "etc/gate.yaml" });
    if (!loaded.ok) throw new Error(told(loaded));
    expect(loaded.config.folder).toBe(join(folder.path, "etc"));
    expect(loaded.config.database.path).toBe(join(folder.path, "etc/x.db"));
    folder.write("etc/gate.yaml", "sever: {}\n");
    expect(told(await folder.load({ file: "etc/gate.yaml" }))).toStartWith("etc/gate.yaml:1:1: sever: ");
  });

  test("an absolute path is taken", async () => {
    using folder = makeFolder();
    folder.write("gate.yaml", RIGHT_FILE);
    expect(told(await folder.load({ file: join(folder.path, "gate.yaml") }))).toBe("ok");
  });
});

describe("bytes that are not a routing file", () => {
  test("more than 1 MB is refused", async () => {
    using folder = makeFolder();
    folder.write("gateway.yaml", `${RIGHT_FILE}# ${"x".repeat(1024 * 1024)}`);
    expect(told(await folder.load())).toBe(
      "gateway.yaml: is larger than 1 MB, the limit of a routing file; is it the right file?",
    );
  });

  test("text that is not UTF-8 is refused with its line", async () => {
    using folder = makeFolder();
    folder.write("gateway.yaml", Buffer.from("server: {}\n# caf\u00e9\n", "latin1"));
    expect(told(await folder.load())).toBe(
      "gateway.yaml:2:1: is not UTF-8 text from this line on; save it as UTF-8",
    );
  });

  test("UTF-16 is refused and named", async () => {
    using folder = makeFolder();
    folder.write("gateway.yaml", Buffer.from("\ufeffserver: {}\n", "utf16le"));
    expect(told(await folder.load())).toBe("gateway.yaml:1:1: is UTF-16; save it as UTF-8");
  });
});

test("problems are sorted by line, each with file, line, column, path and message", async () => {
  using folder = makeFolder();
  folder.write(
    "gateway.yaml",
    `providers:\n  openai: { plugin: openai, api_key: k }\nmodels:\n  docs:\n    routes:\n      - provider: opnai\nserver: { prot: 1 }\n`,
  );
  const loaded = await folder.load();
  expect(loaded.ok ? [] : loaded.problems.map((problem) => problem.line)).toEqual([6, 7]);
  const [first] = loaded.ok ? [] : loaded.problems;
  expect(first && formatProblem(first)).toBe(
    'gateway.yaml:6:19: models.docs.routes[0].provider: unknown provider "opnai"; did you mean "openai"?',
  );
});

describe("a file that is far too large", () => {
  test("has at most about a thousand messages", async () => {
    using folder = makeFolder();
    folder.write("gateway.yaml", Array.from({ length: 3000 }, (_, i) => `unknown-${i}: 1\n`).join(""));
    const loaded = await folder.load();
    expect(loaded.ok ? 0 : loaded.problems.length).toBe(1001);
    expect(told(loaded)).toEndWith("gateway.yaml:1001:1: and at least 2000 more problems from here on");
  });

  test("is refused if aliases refer to aliases without end", async () => {
    using folder = makeFolder();
    const aliases = Array.from({ length: 30 }, (_, i) => `  a${i}: { alias_of: a${i + 1} }\n`).join("");
    folder.write("gateway.yaml", `${RIGHT_FILE}${aliases}  a30: { alias_of: all-MiniLM-L6-v2 }\n`);
    expect(told(await folder.load())).toContain(
      "models.a0.alias_of: more than 20 aliases in a row; name the model itself",
    );
  });

  test("is answered in seconds, whatever its megabyte contains", async () => {
    using folder = makeFolder();
    for (const text of ["[", "${A:-", "${", "${a}", "//", "- ", "{a: ", "&a *a "]) {
      folder.write("gateway.yaml", `a: ${text.repeat(Math.floor(100_000 / text.length))}\nb: c: d\n`);
      expect((await folder.load()).ok).toBe(false);
    }
  });
});
