/**
 * Starts the gateway that is measured: the built executable, as its own process, with every check of a request switched on.
 * If a row needs a different routing file, add an argument here.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Started, start } from "./processes";

export interface Setting {
  readonly executable: string;
  /** The port of the upstream. */
  readonly upstream: number;
  readonly dimensions: number;
  readonly cache?: string;
  readonly durability?: "process" | "power";
  readonly processes?: number;
  /** Left out: bench. */
  readonly workspace?: string;
  /** False: the workspace has neither credits nor a cap. */
  readonly credits?: boolean;
  /** PostgreSQL in place of SQLite. */
  readonly postgres?: { readonly url: string; readonly schema: string };
  /** An upstream of its own, for the model `search`. */
  readonly search?: number;
  /** An upstream over https, for the models `tls` and `tls-far`; `ca` is a file. */
  readonly tls?: { readonly port: number; readonly ca: string };
}

export interface Measured extends Started {
  readonly key: string;
  readonly folder: string;
}

const GREETING = /serves on http:\/\/127\.0\.0\.1:(\d+)/;

/** `text-embedding-3-small` is requested as base64, as in the catalogue; `floats-only` is like a provider without base64. */
function routingFile(setting: Setting): string {
  const { upstream, search = upstream, dimensions, cache = "false" } = setting;
  const { durability, processes, postgres, tls } = setting;
  const provider = (path: string, port = upstream) =>
    `{ plugin: openai, base_url: "http://127.0.0.1:${port}${path}", api_key: sk-bench, concurrency: 10000 }`;
  const secured = (path: string) =>
    `{ plugin: openai, base_url: "https://localhost:${tls?.port}${path}", ca: ${tls?.ca}, api_key: sk-bench, concurrency: 10000 }`;
  const model = (provider: string, encoding: string) =>
    `{ routes: [ { provider: ${provider}, model: text-embedding-3-small } ], dimensions: ${dimensions}, wire_encoding: ${encoding}, price: 0.02 }`;
  return `
server: { max_concurrent_requests: 10000${processes === undefined ? "" : `, processes: ${processes}`} }
cache: ${cache}
${durability === undefined ? "" : `durability: ${durability}`}
${postgres === undefined ? "" : `database: "${postgres.url}"\npostgres: { schema: ${postgres.schema} }`}
space_probe: false
workspace_defaults: { requests_per_minute: 1000000000, tokens_per_minute: 1000000000000 }
providers:
  near: ${provider("/v1")}
  search: ${provider("/v1", search)}
  far: ${provider("/far/v1")}${
    tls === undefined ? "" : `\n  tls: ${secured("/v1")}\n  tls-far: ${secured("/far/v1")}`
  }
models:
  text-embedding-3-small: ${model("near", "base64")}
  search: ${model("search", "base64")}
  far: ${model("far", "base64")}
  floats-only: ${model("near", "float")}${
    tls === undefined ? "" : `\n  tls: ${model("tls", "base64")}\n  tls-far: ${model("tls-far", "base64")}`
  }
`;
}

export interface Prepared {
  readonly folder: string;
  /** Empty if the routing file is refused. */
  readonly key: string;
  /** Why `embedgate check` refuses the routing file; undefined if it accepts it. */
  readonly refusal: string | undefined;
}

/** Writes a routing file and creates a workspace and a key. @throws Error if the executable cannot be started */
export async function prepare(setting: Setting): Promise<Prepared> {
  const folder = mkdtempSync(join(tmpdir(), "embedgate-bench-"));
  await Bun.write(join(folder, "gateway.yaml"), routingFile(setting));
  const begin = (words: readonly string[], stderr: "pipe" | "inherit") =>
    Bun.spawn([setting.executable, ...words], { cwd: folder, env: {}, stdout: "pipe", stderr });
  const run = async (...words: string[]) => {
    const child = begin(words, "inherit");
    const said = await new Response(child.stdout).text();
    if ((await child.exited) !== 0) throw new Error(`${words.join(" ")} failed: ${said}`);
    return said;
  };
  const check = begin(["check"], "pipe");
  const problems = await new Response(check.stderr).text();
  if ((await check.exited) !== 0) return { folder, key: "", refusal: problems };
  const money = setting.credits === false ? [] : ["--credits", "1000000", "--cap-usd-per-month", "1000000"];
  const { workspace = "bench" } = setting;
  await run("workspaces", "create", workspace, ...money);
  const { key } = JSON.parse(
    await run("keys", "create", "--name", "bench", "--workspace", workspace, "--json"),
  );
  return { folder, key, refusal: undefined };
}

/** @param before is called with the gateway's folder before the start */
export async function startGateway(setting: Setting, before?: (folder: string) => void): Promise<Measured> {
  const { folder, key, refusal } = await prepare(setting);
  if (refusal !== undefined)
    throw new Error(`${setting.executable} refuses the routing file in ${folder}:\n${refusal}`);
  before?.(folder);
  const started = await start([setting.executable, "serve", "--port", "0"], GREETING, {
    cwd: folder,
    environment: {},
  });
  return {
    ...started,
    key,
    folder,
    async [Symbol.asyncDispose]() {
      await started[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
