/**
 * `embedgate plugin test FILE`: the conformance suite on an outside plugin, against the live upstream that its options name or a recording
 * of it, saying in words what is wrong. The suite itself is in src/conformance/, and the gateway's own plugins pass the same one.
 */
import { resolve } from "node:path";
import { Value } from "@sinclair/typebox/value";
import { loadPluginFile } from "../config/plugin-file";
import { type Recording, recorder, replayer } from "../conformance/recording";
import { type Outcome, report } from "../conformance/report";
import type { Subject } from "../conformance/subject";
import { realOutside } from "../network/real-outside";
import type { Provider } from "../plugin";
import { createHost } from "../upstream/host";

export interface PluginTestOptions {
  /** Each as key=value. */
  readonly option?: readonly string[];
  readonly model?: string;
  readonly record?: string;
  readonly replay?: string;
  readonly json?: boolean;
}

/** What a plugin's key is called, most likely. */
const SECRET = /key|token|secret|password|credential/i;
/** Shorter, it may be a word of any text. */
const SECRET_LENGTH_MIN = 8;

/** @returns the exit code: 1 where anything is wrong */
export async function testPlugin(file: string, options: PluginTestOptions): Promise<number> {
  const prepared = await prepare(file, options);
  if (typeof prepared === "string") {
    console.error(prepared);
    return 1;
  }
  const { subject, recording } = prepared;
  const outcomes: Outcome[] = [];
  await report(subject, { ...realOutside, log: () => undefined }, (outcome) => {
    if (!options.json) say(outcome, outcomes.at(-1)?.section);
    outcomes.push(outcome);
  });
  if (options.record !== undefined)
    await Bun.write(options.record, `${JSON.stringify(recording(), null, 1)}\n`);
  if (options.json) console.log(JSON.stringify({ file, model: subject.model, outcomes }));
  else console.log(`\n${summary(outcomes)}${options.model === undefined ? hintOf(outcomes) : ""}`);
  return outcomes.some(({ outcome }) => outcome === "wrong") ? 1 : 0;
}

interface Prepared {
  readonly subject: Subject;
  readonly recording: () => Recording;
}

/** @returns words where the command was not given what it needs */
async function prepare(
  file: string,
  { option = [], model, replay }: PluginTestOptions,
): Promise<Prepared | string> {
  const loaded = await loadPluginFile(resolve(file), file, createHost(realOutside));
  if (!loaded.ok) return loaded.message;
  const { plugin, provider } = loaded;
  const given = optionsFrom(option, provider);
  const problems = [...Value.Errors(provider.options, Value.Default(provider.options, { ...given }))];
  if (problems.length > 0) {
    // Of what is missing, its type is told too: the first word is enough.
    const byOption = new Map(problems.reverse().map(({ path, message }) => [path.slice(1), message]));
    return [...byOption].map(([name, message]) => `--option ${name}=…: ${message}`).join("\n");
  }
  const { fetch, recording } = recorder(realOutside.fetch);
  try {
    const vendor = { fetch: replay === undefined ? fetch : replayer(await Bun.file(replay).json()) };
    const secrets = secretsOf(given);
    return { subject: { plugin, options: given, model: model ?? "default", vendor, secrets }, recording };
  } catch (thrown) {
    return `${replay}: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  }
}

/** Text as the schema has it: a number, true or false; a list or an object as JSON. */
function optionsFrom(pairs: readonly string[], { options }: Provider): Readonly<Record<string, unknown>> {
  const texts = pairs.map((pair): [string, unknown] => {
    const [name = "", ...rest] = pair.split("=");
    const text = rest.join("=");
    return [name, asJson(text) ?? text];
  });
  const converted: unknown = Value.Convert(options, Object.fromEntries(texts));
  return Object(converted);
}

function asJson(text: string): object | undefined {
  if (!/^[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // A text that only begins like one: the schema judges it.
    return undefined;
  }
}

const secretsOf = (options: Readonly<Record<string, unknown>>) =>
  Object.entries(options).flatMap(([name, value]) =>
    SECRET.test(name) && typeof value === "string" && value.length >= SECRET_LENGTH_MIN ? [value] : [],
  );

const SIGNS = { right: "ok   ", wrong: "WRONG", skipped: "-    " } as const;

function say({ section, check, outcome, why }: Outcome, before: string | undefined): void {
  if (section !== before) console.log(`${before === undefined ? "" : "\n"}${section}`);
  console.log(`  ${SIGNS[outcome]}  ${check}${outcome === "skipped" ? ` (not tried: ${why})` : ""}`);
  if (outcome === "wrong") console.log(`         ${why}`);
}

function summary(outcomes: readonly Outcome[]): string {
  const count = (which: Outcome["outcome"]) => outcomes.filter(({ outcome }) => outcome === which).length;
  return `${count("right")} right, ${count("wrong")} wrong, ${count("skipped")} not tried.`;
}

const hintOf = (outcomes: readonly Outcome[]) =>
  outcomes[0]?.section === "the upstream" ? ' The model was "default": name one with --model.' : "";
