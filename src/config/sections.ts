/**
 * Rules for sections other than providers and models: the database, authentication, and the number of processes.
 * A rule about two keys belongs here; rules about a single key belong to the schema.
 */
import { resolve } from "node:path";
import { isTimeZone } from "../books/periods";
import { readPostgresAddress } from "../domain/postgres-address";
import { isLoopback } from "../domain/this-machine";
import { PROCESSES_MAX } from "../machine/cores";
import { below, type Problem } from "./problem";
import { entriesOf } from "./providers";
import { readPublicKey } from "./public-key";
import type { Tree } from "./tree";

/** Checks that this machine knows the time zone. */
export function checkCapTimeZone(tree: Tree, defaults: unknown, problems: Problem[]): void {
  const { cap_time_zone: zone }: { readonly cap_time_zone?: unknown } = Object(defaults);
  if (typeof zone !== "string" || isTimeZone(zone)) return;
  problems.push(tree.problem("/workspace_defaults/cap_time_zone", UNKNOWN_TIME_ZONE));
}

export const UNKNOWN_TIME_ZONE =
  "unknown time zone; expected an IANA name, such as Europe/Berlin or America/New_York";

export interface DatabasePlace {
  /** SQLite's file, absolute, or ":memory:"; with PostgreSQL, the path that the names of this machine's own files begin with. */
  readonly path: string;
  /** PostgreSQL's URL, with its password. */
  readonly url: string | undefined;
}

/** @returns undefined if it was refused */
export function checkDatabase(
  tree: Tree,
  database: unknown,
  folder: string,
  problems: Problem[],
): DatabasePlace | undefined {
  if (typeof database !== "string" || database === "") return undefined;
  const told = (message: string): undefined => {
    problems.push(tree.problem("/database", message));
    return undefined;
  };
  // The URL may contain a password: only its scheme is shown.
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(database)?.[1]?.toLowerCase();
  const expected =
    "expected sqlite:PATH, such as sqlite:./data/embedgate.db, sqlite::memory:, or postgres://USER@HOST/DATABASE";
  if (scheme === "postgres" || scheme === "postgresql") {
    const address = readPostgresAddress(database);
    return "problem" in address
      ? told(address.problem)
      : { path: resolve(folder, LOCAL_FILES), url: database };
  }
  if (scheme === undefined) return told(`no scheme; ${expected}`);
  if (scheme !== "sqlite")
    return told(`${tree.written.has("/database") ? "this scheme" : `${scheme}:`} is not known; ${expected}`);
  const path = database.slice("sqlite:".length);
  // sqlite:///x is an absolute path to some programs and a relative one to others.
  if (path.startsWith("//")) return told(`two slashes can be read two ways; ${expected}`);
  if (path.trim() === "") return told(`no path; ${expected}`);
  if (path.includes("\0")) return told(`a path with a NUL character; ${expected}`);
  return { path: path === ":memory:" ? path : resolve(folder, path), url: undefined };
}

/** Notes keys that have no effect with a database server. */
export function noteOnServer(
  tree: Tree,
  sections: Readonly<Record<string, unknown>>,
  place: DatabasePlace | undefined,
  notes: Problem[],
): void {
  if (place?.url === undefined) return;
  const { files } = sections;
  if (typeof files === "object" && files !== null && !("folder" in files))
    notes.push(tree.problem("/files", FILES_WITHOUT_FOLDER, "key"));
}

const FILES_WITHOUT_FOLDER =
  "has no folder, so /v1/files and /v1/batches are off: with PostgreSQL, name a folder that all machines share";
const LOCAL_FILES = "data/postgres";
/** What is known about the machine, to decide how many processes can run. */
export interface Machine {
  readonly cores: number;
  /** Whether several processes can listen on one port, with connections distributed among them by the system. */
  readonly sharesPorts: boolean;
  /** The memory of the machine or its container. */
  readonly memoryBytes: number;
}

/** @returns the number of processes, with `auto` resolved */
export function checkProcesses(
  tree: Tree,
  document: unknown,
  databasePath: string | undefined,
  { cores, sharesPorts }: Machine,
  problems: Problem[],
): number {
  const { server } = Object.fromEntries(entriesOf(document));
  const { processes } = Object.fromEntries(entriesOf(server));
  const reason = !sharesPorts
    ? "this operating system cannot share a port among processes; Linux can"
    : databasePath === ":memory:"
      ? "a database in memory belongs to one process; name a file, such as sqlite:./data/embedgate.db"
      : undefined;
  if (processes === "auto") return reason === undefined ? Math.min(Math.max(1, cores), PROCESSES_MAX) : 1;
  if (typeof processes !== "number") return 1;
  if (processes > 1 && reason !== undefined)
    problems.push(tree.problem("/server/processes", `expected 1 or auto, got ${processes}: ${reason}`));
  return processes;
}

export function checkAuth(tree: Tree, document: unknown, problems: Problem[], notes: Problem[]): void {
  const sections = Object.fromEntries(entriesOf(document));
  const auth = Object.fromEntries(entriesOf(sections.auth));
  const server = Object.fromEntries(entriesOf(sections.server));
  const host = server.host;
  if (auth.mode === "open" && typeof host === "string" && !isLoopback(host)) {
    const message =
      "open, on an address that other machines can reach: anyone there can use the gateway at your cost";
    notes.push(tree.problem("/auth/mode", message));
  }
  if (typeof auth.jwt !== "object" || auth.jwt === null) return;
  const place = below("/auth", "jwt");
  const given = ["jwks_url", "public_key", "public_key_file"].filter((key) =>
    Object.hasOwn(Object(auth.jwt), key),
  );
  if (given.length !== 1) {
    const message = `expected one of jwks_url, public_key and public_key_file, got ${given.length === 0 ? "none" : given.join(" and ")}`;
    problems.push(tree.problem(place, message, "key"));
  } else checkSource(tree, place, auth.jwt, problems, notes);
  if (auth.mode === "open") {
    problems.push(
      tree.problem(
        "/auth/mode",
        "open accepts requests without a token, so jwt has no effect; expected keys or auto",
      ),
    );
  }
}

/** Checks the source of the tokens' keys: a URL, or one key in PEM. Neither is shown, as it may be a secret pasted by mistake. */
function checkSource(tree: Tree, place: string, jwt: object, problems: Problem[], notes: Problem[]): void {
  const { jwks_url, public_key } = Object.fromEntries(entriesOf(jwt));
  if (typeof public_key === "string" && !tree.missing.has(below(place, "public_key"))) {
    const known = readPublicKey(public_key);
    if (typeof known === "string") problems.push(tree.problem(below(place, "public_key"), known));
  }
  if (typeof jwks_url !== "string") return;
  const at = below(place, "jwks_url");
  const url = URL.canParse(jwks_url) ? new URL(jwks_url) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol))
    problems.push(tree.problem(at, "expected a URL that starts with https://"));
  else if (url.protocol === "http:" && !isLoopback(url.hostname))
    notes.push(tree.problem(at, "http can be changed in transit: others could sign tokens; use https"));
}
