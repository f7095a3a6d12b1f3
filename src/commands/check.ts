/**
 * `embedgate check`: lists all problems of a routing file at once, and prints a summary if there are none. With --online, each provider is
 * also sent one short text. Servers of `shared` are asked for their eviction policy. Notes are failures only with --strict.
 */
import type { GatewayConfig } from "../config/gateway-config";
import { formatProblem, type Problem } from "../config/problem";
import { counted } from "../domain/counted";
import { asGatewayError } from "../domain/errors";
import { realOutside } from "../network/real-outside";
import { loaded } from "../serving/configured";
import { routingFileHash } from "../stores/machines";
import { databaseName } from "../stores/open";
import { addressOf } from "../stores/postgres/address";
import { servingOthers, stateOfDatabase } from "../stores/postgres/checking";
import { createPool } from "../stores/postgres/pool";
import { printTable } from "../terminal/screen";
import { type Asked, askProviders } from "./check-online";
import { sharedNotes } from "./check-shared";
import { json } from "./json";

interface CheckOptions {
  readonly config?: string;
  readonly strict?: boolean;
  readonly online?: boolean;
  readonly json?: boolean;
}

export async function check(options: CheckOptions): Promise<number> {
  const found = await loaded(options.config);
  const problems = found.ok ? [] : found.problems;
  const notes = found.ok ? [...found.notes, ...(await sharedNotes(found.config))] : [];
  const asked =
    found.ok && options.online
      ? await askProviders(found.config, (words) => {
          if (!options.json) console.error(words);
        })
      : [];
  const machines = found.ok ? await machinesOf(found.config) : undefined;
  const isRight =
    found.ok && !(options.strict && notes.length > 0) && asked.every(({ error }) => error === null);
  if (options.json)
    console.log(json({ ok: isRight, problems, notes, asked: options.online ? asked : null, machines }));
  else tell({ problems, notes, asked, config: found.ok ? found.config : undefined }, options);
  if (!options.json) for (const words of machines ?? []) console.error(`note: ${words}`);
  return isRight ? 0 : 1;
}

/** The configurations of gateways on the routing file's PostgreSQL that differ from this file; that a database is down is not the file's fault. */
async function machinesOf(config: GatewayConfig): Promise<readonly string[] | undefined> {
  const { postgres } = config.database;
  if (postgres === undefined) return undefined;
  const quiet = { ...realOutside, log: () => undefined };
  const pool = createPool(addressOf(postgres), 1, quiet);
  try {
    return servingOthers(await stateOfDatabase(pool, postgres.schema), routingFileHash(config));
  } catch (thrown) {
    return [
      `the database ${databaseName(config.database)} cannot be asked now: ${asGatewayError(thrown).inLog}`,
    ];
  } finally {
    pool.close();
  }
}

interface Told {
  readonly problems: readonly Problem[];
  readonly notes: readonly Problem[];
  readonly asked: readonly Asked[];
  readonly config: GatewayConfig | undefined;
}

function tell({ problems, notes, asked, config }: Told, { strict }: CheckOptions): void {
  for (const problem of problems) console.error(formatProblem(problem));
  for (const note of notes) console.error(`${strict ? "" : "note: "}${formatProblem(note)}`);
  if (asked.length > 0)
    printTable([
      ["MODEL", "PROVIDER", "ASKED AS", "MS", "RESULT"],
      ...asked.map(({ model, provider, upstream_model, latency_ms, dimensions, error }) => [
        model,
        provider,
        upstream_model,
        { right: latency_ms.toFixed(0) },
        error ?? `ok, ${dimensions} dimensions`,
      ]),
    ]);
  if (!config) return;
  const ready = [...config.providers.values()].filter(
    ({ missing_variables }) => missing_variables.length === 0,
  ).length;
  const name = config.file ?? "the built-in configuration";
  const what = `${counted(config.models.size, "model")}, ${ready} of ${counted(config.providers.size, "provider")} configured`;
  const failed = asked.filter(({ error }) => error !== null).length;
  if (strict && notes.length > 0)
    console.error(`${name} fails with --strict, by ${counted(notes.length, "note")}: ${what}.`);
  else if (failed > 0)
    console.error(
      `${name} fails with --online, by ${failed} of ${counted(asked.length, "request")}: ${what}.`,
    );
  else console.log(`${name} is valid: ${what}.`);
}
