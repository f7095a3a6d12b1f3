/** `embedgate doctor` finds problems, and says how to fix each; exit code 0 if all is well. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Finding } from "../../src/commands/doctor/finding";
import { PROBES_VERSION } from "../../src/domain/probes";
import { runCommand } from "../command-line";
import { startServing, startUpstream, temporaryFolder, wireTo } from "../serving";
import { ON_POSTGRES, onSqliteAlone } from "../stores/on-postgres";
import { change } from "../stores/query";

async function examined(folder: string, ...args: string[]) {
  const { code, out, errors } = await runCommand(["doctor", "--json", ...args], { folder });
  const { ok, findings }: { ok: boolean; findings: Finding[] } = JSON.parse(out);
  return { code, ok, errors, findings, of: (check: string) => findings.filter((one) => one.check === check) };
}

/** A port that is free at the moment. */
function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  listener.stop(true);
  return listener.port;
}
const FREE_PORT = `port: ${freePort()}, drain_ms: 0`;

describe("doctor", () => {
  test("of a serving gateway finds nothing wrong, and sends one text to each provider after saying so", async () => {
    let calls = 0;
    using upstream = startUpstream({
      onCall: () => {
        calls += 1;
      },
    });
    const two = wireTo(upstream).replace("models: {", "models: { n: { routes: [ { provider: wire } ] },");
    using folder = temporaryFolder({ "gateway.yaml": two });
    await using gateway = await startServing(folder.path);
    folder.write("asked.yaml", two.replace("drain_ms: 0", `drain_ms: 0, port: ${gateway.port}`));
    const { code, out, errors } = await runCommand(["doctor", "asked.yaml"], { folder: folder.path });
    expect([code, calls]).toEqual([0, 1]);
    expect(errors).toMatch(/Sends 1 request .*charge for a few tokens.*--no-calls/);
    expect(out).toMatch(/ok {5}call +wire answered for n in \d+ ms: 8 dimensions/);
    expect(out).toMatch(new RegExp(`ok {5}port +the gateway \\(process ${gateway.pid}\\) answers`));
    // Of a server it says who looks after it.
    expect(out).toEndWith(`0 things wrong, ${ON_POSTGRES ? "2 notes" : "1 note"}.\n`);
    const silent = await examined(folder.path, "--config", "asked.yaml", "--no-calls");
    expect([silent.code, silent.ok, calls]).toEqual([0, true, 1]);
    expect(silent.errors).toBe("");
  });

  test("says where the routing file is wrong, and calls no provider", async () => {
    using folder = temporaryFolder({ "gateway.yaml": "providers: { a: { plugin: opnai } }\n" });
    const { code, ok, findings } = await examined(folder.path);
    expect([code, ok]).toEqual([1, false]);
    expect(findings).toEqual([
      {
        check: "file",
        result: "wrong",
        says: expect.stringContaining("gateway.yaml:1:"),
        mend: "embedgate check",
      },
    ]);
  });

  test("reports a provider that fails, and variables that are not set", async () => {
    const file = `server: { ${FREE_PORT} }
providers:
  down: { plugin: openai, base_url: "http://127.0.0.1:9/v1", retries: 0 }
  keyless: { plugin: openai, api_key: "\${NO_SUCH_KEY}" }
models: { a: { routes: [ { provider: down } ] }, b: { routes: [ { provider: keyless } ] } }
`;
    using folder = temporaryFolder({ "gateway.yaml": file });
    const { code, of } = await examined(folder.path);
    expect(code).toBe(1);
    expect(of("call")).toEqual([
      expect.objectContaining({ result: "wrong", says: expect.stringContaining("down failed for a: ") }),
    ]);
    expect(of("keys")).toEqual([
      expect.objectContaining({
        result: "note",
        says: expect.stringContaining("keyless: NO_SUCH_KEY not set"),
      }),
    ]);
  });

  test.skipIf(onSqliteAlone("damages its file"))(
    "finds a damaged database, and says how to restore it",
    async () => {
      using folder = temporaryFolder({
        "gateway.yaml": `server: { ${FREE_PORT} }\nproviders: { f: { plugin: fake } }\n`,
      });
      mkdirSync(join(folder.path, "data"));
      writeFileSync(join(folder.path, "data/embedgate.db"), "no database ".repeat(99));
      const { code, of } = await examined(folder.path, "--no-calls");
      expect(code).toBe(1);
      expect(of("database")).toEqual([
        {
          check: "database",
          result: "wrong",
          says: expect.stringContaining("not a database"),
          mend: "embedgate restore BACKUP --config gateway.yaml",
        },
      ]);
    },
  );

  test("finds a port that another program uses, and a gateway that is open to everybody", async () => {
    const other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    using folder = temporaryFolder({
      "gateway.yaml": `server: { host: 127.0.0.1, port: ${other.port} }\nproviders: { f: { plugin: fake } }\n`,
      "open.yaml": `server: { host: 0.0.0.0, ${FREE_PORT} }\nproviders: { f: { plugin: fake } }\n`,
    });
    const taken = await examined(folder.path, "--no-calls");
    expect([taken.code, taken.of("port")]).toEqual([
      1,
      [expect.objectContaining({ result: "wrong", mend: `ss -ltnp 'sport = :${other.port}'` })],
    ]);
    other.stop(true);
    expect((await examined(folder.path, "--no-calls")).code).toBe(0);
    const open = await examined(folder.path, "--no-calls", "--config", "open.yaml");
    expect(open.of("reach")).toEqual([
      expect.objectContaining({
        result: "wrong",
        mend: "embedgate keys create --name first --config open.yaml",
      }),
    ]);
    await runCommand(["keys", "create", "--name", "x", "--config", "open.yaml"], { folder: folder.path });
    const keyed = await examined(folder.path, "--no-calls", "--config", "open.yaml");
    expect([keyed.code, keyed.of("reach")]).toEqual([
      0,
      [expect.objectContaining({ result: "note", says: expect.stringContaining("without TLS") })],
    ]);
  });

  test("reports a route that was measured to be out of its space", async () => {
    using upstream = startUpstream();
    using folder = temporaryFolder({
      "gateway.yaml": wireTo(upstream).replace("drain_ms: 0,", `${FREE_PORT},`),
    });
    await runCommand(["keys", "create", "--name", "x"], { folder: folder.path });
    const row: Record<string, string | number> = {
      claim: "m",
      claimed: "m@8",
      provider: "wire",
      model: "m",
      space: "m@8",
      serves: ON_POSTGRES ? "false" : 0,
      cosine: 0.42,
      cosines: "{}",
      says: "another model",
      measured_at: 1,
      probes: PROBES_VERSION,
    };
    const names = Object.keys(row);
    await change(
      folder.path,
      `INSERT INTO @space_routes (${names.join(", ")}) VALUES (${names.map((_, i) => `$${i + 1}`).join(", ")})`,
      Object.values(row),
    );
    folder.write(
      "gateway.yaml",
      wireTo(upstream)
        .replace("drain_ms: 0,", `${FREE_PORT},`)
        .replace("models: { m: {", "models: { m: { space: m@8,"),
    );
    const { code, of } = await examined(folder.path, "--no-calls");
    expect([code, of("spaces")]).toEqual([
      1,
      [expect.objectContaining({ result: "wrong", mend: "embedgate spaces show m@8 --config gateway.yaml" })],
    ]);
  });
});
