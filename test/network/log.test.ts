/**
 * The log's lines: JSON for programs, text for people, and which of them are written.
 */
import { describe, expect, test } from "bun:test";
import { createLog } from "../../src/network/log";
import { FAKE_YAML, openGateway } from "../gateway";

function logTo({ isTerminal = false, hasColours = true } = {}) {
  const lines: string[] = [];
  const now = () => Date.UTC(2026, 10, 28, 3, 12, 9, 120);
  return { lines, ...createLog({ write: (line) => lines.push(line), now, isTerminal, hasColours }) };
}

describe("a line", () => {
  test("is JSON without a terminal, and if the routing file says so", () => {
    const pipe = logTo();
    pipe.write("warn", "it happened", { at: "x y", amount: 12n, left_out: undefined });
    const terminal = logTo({ isTerminal: true });
    terminal.by({ level: "info", format: "json", requests: false });
    terminal.write("warn", "it happened", { at: "x y", amount: 12n });
    const said =
      '{"time":"2026-11-28T03:12:09.120Z","level":"warn","message":"it happened","at":"x y","amount":"12"}';
    expect([pipe.lines, terminal.lines]).toEqual([[said], [said]]);
  });

  test("is text on a terminal, with colours if wanted; nothing from a caller moves the cursor", () => {
    const about = { at: "x y", model: "a/b-1", evil: "\u001b[2J\n", none: undefined, count: 3 };
    const plain = logTo({ isTerminal: true, hasColours: false });
    plain.write("warn", "it happened", about);
    expect(plain.lines).toEqual([
      '03:12:09.120 WARN  it happened  at="x y"  model=a/b-1  evil="\\u001b[2J\\n"  count=3',
    ]);
    const coloured = logTo({ isTerminal: true });
    coloured.write("error", "it happened");
    expect(coloured.lines).toEqual(["03:12:09.120 \u001b[31mERROR\u001b[0m it happened"]);
    const pipe = logTo();
    pipe.by({ level: "info", format: "pretty", requests: false });
    pipe.write("info", "it happened");
    expect(pipe.lines).toEqual(["03:12:09.120 INFO  it happened"]);
  });

  test("is left out below the log level, until the level changes", () => {
    const log = logTo();
    log.by({ level: "warn", format: "json", requests: false });
    for (const level of ["info", "warn", "error"] as const) log.write(level, level);
    log.by({ level: "info", format: "json", requests: false });
    log.write("info", "again");
    expect(log.lines.map((line) => JSON.parse(line).message)).toEqual(["warn", "error", "again"]);
  });
});

describe("the log settings of the routing file", () => {
  test("apply from the start, and after a reload; requests have a line if wanted, without a text", async () => {
    const settings: unknown[] = [];
    const logBy = (next: unknown) => settings.push(next);
    const asking = `${FAKE_YAML}log: { requests: true, level: warn, format: json }\n`;
    await using open = await openGateway({ yaml: FAKE_YAML, outside: { logBy } });
    await using other = await openGateway({ yaml: asking, outside: { logBy } });
    const usual = { level: "info", format: "auto", requests: false };
    expect(settings).toEqual([usual, { level: "warn", format: "json", requests: true }]);
    await open.post({ model: "fake-8", input: "before-it" });
    open.gateway.reload({ ...open.gateway.config(), log: other.gateway.config().log });
    expect(settings[2]).toEqual({ level: "warn", format: "json", requests: true });
    const { headers } = await open.post({
      model: "fake-8",
      input: ["the-text-itself", "b"],
      user: "the-user",
    });
    const lines = open.logs.filter(({ message }) => message === "request answered");
    expect(lines).toHaveLength(1);
    expect(lines[0]?.about).toMatchObject({
      request: headers.get("x-request-id"),
      workspace: "default",
      key: null,
      model: "fake-8",
      provider: "fake",
      status: 200,
      inputs: 2,
      cache_hits: 0,
      calls: 1,
    });
    expect(JSON.stringify(open.logs)).not.toMatch(/the-text|the-user|before-it/);
  });
});
