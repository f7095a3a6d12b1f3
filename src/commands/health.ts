/**
 * `embedgate health`: /healthz or /readyz of a running gateway as an exit code, for containers and scripts without curl.
 */
import { ServerSection } from "../config/schema-server";
import { realOutside } from "../network/real-outside";
import { loaded } from "../serving/configured";
import { json } from "./json";
import { addressOf } from "./running";

export interface HealthOptions {
  readonly config?: string;
  readonly url?: string;
  readonly ready?: boolean;
  readonly json?: boolean;
}

const UNREACHABLE = 4;
const WAIT_MS = 5_000;

export async function health(options: HealthOptions): Promise<number> {
  const { address, isOwn } = await whereOf(options);
  const url = `${address}${options.ready ? "/readyz" : "/healthz"}`;
  const init = {
    signal: AbortSignal.timeout(WAIT_MS),
    // The gateway's own certificate is for the name that clients use, so it is not checked here. Nothing secret is sent.
    ...(isOwn && { tls: { rejectUnauthorized: false } }),
  };
  let status: number | null = null;
  let said: string;
  try {
    const answer = await realOutside.fetch(url, init);
    status = answer.status;
    said = new TextDecoder().decode(await answer.arrayBuffer());
  } catch (cause) {
    said = cause instanceof Error ? cause.message : String(cause);
  }
  const isWell = status === 200;
  if (options.json) console.log(json({ ok: isWell, url, status, answer: parsed(said) }));
  else if (isWell) console.log(`${url}: ${options.ready ? "ready" : "healthy"}`);
  else
    console.error(
      status === null ? `${url}: no answer: ${said}` : `${url} answered ${status}: ${reasonIn(said)}`,
    );
  if (isWell) return 0;
  return status === null ? UNREACHABLE : 1;
}

/** A routing file that is being edited must not make a gateway unhealthy that still serves the previous version. */
async function whereOf({ url, config }: HealthOptions): Promise<{ address: string; isOwn: boolean }> {
  const { host, port } = ServerSection.properties;
  const usual = { host: host.default, port: port.default, tls: undefined };
  if (url !== undefined) return { address: addressOf(usual, url), isOwn: false };
  const found = await loaded(config);
  if (!found.ok)
    console.error("note: the routing file has mistakes ('embedgate check'): asking the default address");
  return { address: addressOf(found.ok ? found.config.server : usual), isOwn: true };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function reasonIn(text: string): string {
  const { error }: { error?: { message?: unknown } } = Object(parsed(text));
  return typeof error?.message === "string" ? error.message : text.slice(0, 200);
}
