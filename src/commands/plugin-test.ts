/**
 * `embedgate plugin test FILE`: runs the conformance suite on an external plugin, against the live upstream in its options or a recording
 * of it, and reports failures. The suite is in src/conformance/; the gateway's own plugins pass it too.
 */
import { closeSync, fchmodSync, openSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { Value } from "@sinclair/typebox/value";
import { closedSchema } from "../config/check";
import { loadPluginFile } from "../config/plugin-file";
import { isObjectSchema } from "../config/provider-shape";
import { type Recording, recorder, replayer } from "../conformance/recording";
import { type Outcome, report } from "../conformance/report";
import type { Subject } from "../conformance/subject";
import { visible } from "../domain/control-characters";
import { counted } from "../domain/counted";
import { realOutside } from "../network/real-outside";
import { type Paint, screen } from "../terminal/screen";
import { WrongUsage } from "../terminal/wrong-usage";
import { createHost } from "../upstream/host";
import { withoutKnown } from "../upstream/redact";
import { json } from "./json";
import { type GivenOptions, optionProblem, readOptions } from "./plugin-options";

export interface PluginTestOptions extends GivenOptions {
  readonly model?: string;
  readonly record?: string;
  readonly replay?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** Roughly how many requests the suite sends upstream: it depends on the plugin's `max_inputs` and the given options. */
const REQUESTS_ABOUT = 60;

/** @returns the exit code: 1 if anything is wrong */
export async function testPlugin(file: string, options: PluginTestOptions): Promise<number> {
  const prepared = await prepare(file, options);
  if (typeof prepared === "string") {
    console.error(prepared);
    return 1;
  }
  const { subject, recording, unwritten, requestsSent } = prepared;
  if (options.replay === undefined)
    console.error(
      `Sends about ${REQUESTS_ABOUT} requests with short texts to the upstream, some hundred tokens in all.`,
    );
  const outcomes: Outcome[] = [];
  await report(subject, { ...realOutside, log: () => undefined }, ({ why, ...told }) => {
    const outcome = { ...told, why: withoutKnown(why, unwritten) };
    if (options.verbose && !options.json) say(outcome, outcomes.at(-1)?.section);
    outcomes.push(outcome);
  });
  if (options.record !== undefined)
    writeForOwner(options.record, `${JSON.stringify(recording(), null, 1)}\n`);
  if (options.json)
    console.log(json({ file, model: subject.model, requests_sent: requestsSent(), outcomes }));
  else {
    const sent = options.replay === undefined ? ` ${counted(requestsSent(), "request")} sent.` : "";
    const { paint } = screen();
    console.log(
      [
        ...(options.verbose ? [""] : sectionsOf(outcomes, paint)),
        ...notTried(outcomes),
        ...failed(outcomes, paint),
        `${summary(outcomes)}${sent}${options.model === undefined ? hintOf(outcomes) : ""}`,
      ].join("\n"),
    );
  }
  return outcomes.some(({ outcome }) => outcome === "wrong") ? 1 : 0;
}

interface Prepared {
  readonly subject: Subject;
  readonly recording: () => Recording;
  /** How many requests went upstream so far. */
  readonly requestsSent: () => number;
  /** Secrets, which are neither printed nor recorded. */
  readonly unwritten: readonly string[];
}

/** @returns a message if an argument is missing */
async function prepare(
  file: string,
  { model, replay, ...given }: PluginTestOptions,
): Promise<Prepared | string> {
  const loaded = await loadPluginFile(resolve(file), file, createHost(realOutside));
  if (!loaded.ok) return loaded.message;
  const { plugin, provider } = loaded;
  const read = await readOptions(given, provider, realOutside);
  if (typeof read === "string") throw new WrongUsage(read);
  const { options, secrets, unwritten } = read;
  // As in the routing file: a misspelt option is refused.
  const schema = isObjectSchema(provider.options) ? closedSchema(provider.options) : provider.options;
  const problems = [...Value.Errors(schema, Value.Default(schema, { ...options }))];
  if (problems.length > 0) {
    // A missing option is reported twice (missing, and wrong type): the first message is enough.
    const byOption = new Map(problems.reverse().map((problem) => [problem.path.slice(1), problem]));
    throw new WrongUsage([...byOption.values()].map(optionProblem).join("\n"));
  }
  let sent = 0;
  const counting: typeof realOutside.fetch = (url, init) => {
    // A request whose signal has fired is never sent.
    if (!init.signal?.aborted) sent += 1;
    return realOutside.fetch(url, init);
  };
  const { fetch, recording } = recorder(counting, unwritten);
  try {
    const vendor = {
      fetch: replay === undefined ? fetch : replayer(await Bun.file(replay).json(), unwritten),
    };
    const subject = { plugin, options, model: model ?? "default", vendor, secrets };
    return { subject, recording, unwritten, requestsSent: () => sent };
  } catch (thrown) {
    return `${replay}: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  }
}

/** Also if the file already existed and was readable by everybody. */
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

/** One line per section: how many of its checks passed. */
function sectionsOf(outcomes: readonly Outcome[], { red, green }: Paint): string[] {
  return [...Map.groupBy(outcomes, ({ section }) => section)].map(([section, own]) => {
    const wrong = own.filter(({ outcome }) => outcome === "wrong").length;
    const right = own.filter(({ outcome }) => outcome === "right").length;
    return `${wrong === 0 ? green("ok   ") : red("WRONG")}  ${section}: ${right} of ${own.length}`;
  });
}

/** Why checks were skipped, with the number of checks for each reason. */
function notTried(outcomes: readonly Outcome[]): string[] {
  const skipped = outcomes.filter(({ outcome }) => outcome === "skipped");
  if (skipped.length === 0) return [""];
  const reasons = [...Map.groupBy(skipped, ({ why }) => why)];
  return ["", "not tried:", ...reasons.map(([why, own]) => `  ${own.length}: ${visible(why)}`), ""];
}

/** Lists all failures again at the end, where they are seen. */
function failed(outcomes: readonly Outcome[], { red }: Paint): string[] {
  const wrong = outcomes.filter(({ outcome }) => outcome === "wrong");
  if (wrong.length === 0) return [];
  // One mistake may fail many checks: its reason is printed once, below them.
  const lines = [...Map.groupBy(wrong, ({ why }) => why)].flatMap(([why, alike]) => [
    ...alike.map(({ section, check }) => `${red(SIGNS.wrong)}  ${section}: ${check}`),
    `       ${visible(why)}`,
  ]);
  return [...lines, ""];
}

function summary(outcomes: readonly Outcome[]): string {
  const count = (which: Outcome["outcome"]) => outcomes.filter(({ outcome }) => outcome === which).length;
  return `${count("right")} right, ${count("wrong")} wrong, ${count("skipped")} not tried.`;
}

const hintOf = (outcomes: readonly Outcome[]) =>
  outcomes[0]?.section === "the upstream" ? ' The model was "default": name one with --model.' : "";
