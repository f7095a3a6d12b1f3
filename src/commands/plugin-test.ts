/**
 * `embedgate plugin test FILE`: the conformance suite on an outside plugin, against the live upstream that its options name or a recording
 * of it, saying in words what is wrong. The suite itself is in src/conformance/, and the gateway's own plugins pass the same one.
 */
import { closeSync, fchmodSync, openSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { Value } from "@sinclair/typebox/value";
import { loadPluginFile } from "../config/plugin-file";
import { type Recording, recorder, replayer } from "../conformance/recording";
import { type Outcome, report } from "../conformance/report";
import type { Subject } from "../conformance/subject";
import { visible } from "../domain/control-characters";
import { realOutside } from "../network/real-outside";
import { createHost } from "../upstream/host";
import { withoutKnown } from "../upstream/redact";
import { json } from "./json";
import { type GivenOptions, readOptions } from "./plugin-options";

export interface PluginTestOptions extends GivenOptions {
  readonly model?: string;
  readonly record?: string;
  readonly replay?: string;
  readonly json?: boolean;
}

/** @returns the exit code: 1 where anything is wrong */
export async function testPlugin(file: string, options: PluginTestOptions): Promise<number> {
  const prepared = await prepare(file, options);
  if (typeof prepared === "string") {
    console.error(prepared);
    return 1;
  }
  const { subject, recording, unwritten } = prepared;
  const outcomes: Outcome[] = [];
  await report(subject, { ...realOutside, log: () => undefined }, ({ why, ...told }) => {
    const outcome = { ...told, why: withoutKnown(why, unwritten) };
    if (!options.json) say(outcome, outcomes.at(-1)?.section);
    outcomes.push(outcome);
  });
  if (options.record !== undefined)
    writeForOwner(options.record, `${JSON.stringify(recording(), null, 1)}\n`);
  if (options.json) console.log(json({ file, model: subject.model, outcomes }));
  else console.log(`\n${summary(outcomes)}${options.model === undefined ? hintOf(outcomes) : ""}`);
  return outcomes.some(({ outcome }) => outcome === "wrong") ? 1 : 0;
}

interface Prepared {
  readonly subject: Subject;
  readonly recording: () => Recording;
  /** What is neither told nor written down. */
  readonly unwritten: readonly string[];
}

/** @returns words where the command was not given what it needs */
async function prepare(
  file: string,
  { model, replay, ...given }: PluginTestOptions,
): Promise<Prepared | string> {
  const loaded = await loadPluginFile(resolve(file), file, createHost(realOutside));
  if (!loaded.ok) return loaded.message;
  const { plugin, provider } = loaded;
  const read = await readOptions(given, provider, realOutside);
  if (typeof read === "string") return read;
  const { options, secrets, unwritten } = read;
  const problems = [...Value.Errors(provider.options, Value.Default(provider.options, { ...options }))];
  if (problems.length > 0) {
    // Of what is missing, its type is told too: the first word is enough.
    const byOption = new Map(problems.reverse().map(({ path, message }) => [path.slice(1), message]));
    return [...byOption].map(([name, message]) => `--option ${name}=…: ${message}`).join("\n");
  }
  const { fetch, recording } = recorder(realOutside.fetch, unwritten);
  try {
    const vendor = {
      fetch: replay === undefined ? fetch : replayer(await Bun.file(replay).json(), unwritten),
    };
    const subject = { plugin, options, model: model ?? "default", vendor, secrets };
    return { subject, recording, unwritten };
  } catch (thrown) {
    return `${replay}: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  }
}

/** Also where a file of that name was everybody's to read. */
function writeForOwner(path: string, text: string): void {
  const descriptor = openSync(path, "w", 0o600);
  try {
    fchmodSync(descriptor, 0o600);
    writeFileSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

const SIGNS = { right: "ok   ", wrong: "WRONG", skipped: "-    " } as const;

function say({ section, check, outcome, why }: Outcome, before: string | undefined): void {
  if (section !== before) console.log(`${before === undefined ? "" : "\n"}${section}`);
  console.log(`  ${SIGNS[outcome]}  ${check}${outcome === "skipped" ? ` (not tried: ${visible(why)})` : ""}`);
  if (outcome === "wrong") console.log(`         ${visible(why)}`);
}

function summary(outcomes: readonly Outcome[]): string {
  const count = (which: Outcome["outcome"]) => outcomes.filter(({ outcome }) => outcome === which).length;
  return `${count("right")} right, ${count("wrong")} wrong, ${count("skipped")} not tried.`;
}

const hintOf = (outcomes: readonly Outcome[]) =>
  outcomes[0]?.section === "the upstream" ? ' The model was "default": name one with --model.' : "";
