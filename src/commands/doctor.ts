/**
 * `embedgate doctor`: checks everything that a gateway needs, and reports each problem with its fix. To add a check, write a function in a file
 * of doctor/ and call it in `look` (or in `stored`, if it needs the database).
 */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { GatewayConfig } from "../config/gateway-config";
import { formatProblem } from "../config/problem";
import { counted } from "../domain/counted";
import { GatewayError } from "../domain/errors";
import { realOutside } from "../network/real-outside";
import { presentAt } from "../processes/presence";
import { loaded } from "../serving/configured";
import { openStores } from "../stores/open";
import { screen } from "../terminal/screen";
import { askProviders } from "./check-online";
import { certificate, openFiles, port, reach } from "./doctor/address";
import { type Finding, fine, note, withConfig, wrong } from "./doctor/finding";
import { calls, clock, type DateSeen, variables, watchingDates } from "./doctor/providers";
import { databaseFile, disk, fileSystem, spaces } from "./doctor/storage";
import { json } from "./json";

interface DoctorOptions {
  readonly config?: string;
  /** False with --no-calls. */
  readonly calls: boolean;
  readonly json?: boolean;
}

/** @returns the exit code: 1 if something is wrong; notes do not count */
export async function doctor(options: DoctorOptions): Promise<number> {
  const findings: Finding[] = [];
  const tell = (...found: readonly Finding[]) => {
    findings.push(...found);
    if (!options.json) for (const finding of found) console.log(lineOf(finding));
  };
  await look(options, tell);
  const bad = findings.filter(({ result }) => result === "wrong").length;
  const notes = findings.filter(({ result }) => result === "note").length;
  if (options.json) console.log(json({ ok: bad === 0, findings }));
  else console.log(`\n${counted(bad, "thing")} wrong, ${counted(notes, "note")}.`);
  return bad === 0 ? 0 : 1;
}

async function look(options: DoctorOptions, tell: (...found: readonly Finding[]) => void): Promise<void> {
  const dates: DateSeen[] = [];
  const found = await loaded(options.config, undefined, watchingDates(realOutside, dates));
  if (!found.ok) {
    const mend = `embedgate check${withConfig(options.config)}`;
    return tell(...found.problems.map((problem) => wrong("file", formatProblem(problem), mend)));
  }
  const { config, notes } = found;
  tell(
    fine("file", `${config.file ?? "the built-in configuration"}: ${counted(config.models.size, "model")}`),
  );
  tell(...notes.map((problem) => note("file", formatProblem(problem))));
  tell(...variables(config));
  if (options.calls) {
    const asked = await askProviders(
      config,
      (words) => {
        if (!options.json)
          console.error(`${words} A provider may charge for a few tokens each; --no-calls sends none.`);
      },
      "provider",
    );
    tell(...calls(asked, config), clock(dates));
  } else tell(note("call", "no provider was asked (--no-calls), so the clock was not compared either"));
  tell(...(await stored(config)));
  const running = presentAt(config.database.path).map(({ pid }) => pid);
  tell(
    await port(config, running, realOutside),
    ...certificate(config.server.tls, realOutside.now()),
    ...openFiles(),
  );
}

/** The database, and the checks that need it. */
async function stored(config: GatewayConfig): Promise<readonly Finding[]> {
  const { database, file } = config;
  if (database.path === ":memory:")
    return [note("database", "in memory: keys and ledger are lost when the gateway stops")];
  const inPostgres = "postgres" in database && database.postgres !== undefined;
  const folder = dirname(database.path);
  const about: Finding[] = [];
  if (inPostgres)
    about.push(
      note("database", "in PostgreSQL: back it up with pg_dump; check its disk and clock on its server"),
    );
  else about.push(databaseFile(database.path, file), fileSystem(folder));
  about.push(disk(folder));
  if (about.some(({ check, result }) => check === "database" && result === "wrong")) return about;
  let hasKeys = false;
  if (inPostgres || existsSync(database.path))
    try {
      const stores = await openStores(database, realOutside);
      try {
        hasKeys = (await stores.openKeys().list()).length > 0;
        about.push(...(await spaces(stores, config)));
      } finally {
        await stores.close();
      }
    } catch (cause) {
      if (!(cause instanceof GatewayError)) throw cause;
      about.push(
        wrong("database", cause.message, "start the database, or correct 'database' in the routing file"),
      );
    }
  about.push(reach(config, hasKeys));
  return about;
}

const COLUMN = 12;

function lineOf({ check, result, says, mend }: Finding): string {
  const { paint } = screen();
  const mark = { ok: paint.green("ok   "), note: "note ", wrong: paint.red("WRONG") }[result];
  const line = `${mark}  ${check.padEnd(COLUMN)} ${says}`;
  return mend === null ? line : `${line}\n       ${" ".repeat(COLUMN)} → ${mend}`;
}
