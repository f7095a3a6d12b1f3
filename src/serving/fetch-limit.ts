/**
 * Bun queues all but 256 fetches unless its environment at the start says otherwise. Calls by way of a proxy are
 * fetches; where there may be more of them at once, the executable re-executes itself (execve): a provider that answers slowly
 * must not hold up the calls to others. It needs one call of the C library.
 */
import { ptr } from "bun:ffi";
import type { ConfiguredProvider, GatewayConfig } from "../config/gateway-config";
import { isExecutable } from "../machine/executable";
import { openLibc } from "../machine/libc";
import { isLeftToFetch } from "../network/http-client";

export const FETCHES_VARIABLE = "BUN_CONFIG_MAX_HTTP_REQUESTS";
/** Bun's highest limit; each provider's `concurrency` limits its calls. */
export const FETCHES_MAX = "65535";
const FETCHES_USUAL = 256;

/** To be called before anything is opened: it does not return where it re-executes. Run from source it does nothing, as the variable can be set. */
export function makeRoomForFetches(config: Pick<GatewayConfig, "providers">): void {
  if (!isExecutable() || process.env[FETCHES_VARIABLE] !== undefined) return;
  if (fetchesAtOnce(config, process.env) <= FETCHES_USUAL) return;
  const variables = Object.entries({ ...process.env, [FETCHES_VARIABLE]: FETCHES_MAX });
  // The first two arguments are Bun's: the executable, and the name of the script inside.
  startOver(
    [process.execPath, ...process.argv.slice(2)],
    variables.map(([name, value]) => `${name}=${value}`),
  );
}

/** Returns if the program cannot be restarted here: the gateway then runs with Bun's limit. */
function startOver(words: readonly string[], variables: readonly string[]): void {
  // Keeps the pointed-to memory from being collected before the call.
  const kept: (Buffer | BigUint64Array)[] = [];
  const text = (value: string) => {
    const bytes = Buffer.from(`${value}\0`);
    kept.push(bytes);
    return ptr(bytes);
  };
  const list = (values: readonly string[]) => {
    const pointers = BigUint64Array.from([...values.map((value) => BigInt(text(value))), 0n]);
    kept.push(pointers);
    return ptr(pointers);
  };
  const libc = openLibc({ execve: { args: ["ptr", "ptr", "ptr"], returns: "i32" } });
  libc?.execve(text(process.execPath), list(words), list(variables));
}

/** The most fetches at once: calls without a proxy use our own sockets (src/network/), and the model inside uses no network. */
export function fetchesAtOnce(
  { providers }: Pick<GatewayConfig, "providers">,
  environment: Readonly<Record<string, string | undefined>>,
): number {
  let sum = 0;
  for (const provider of providers.values())
    if (!provider.provider.isBuiltIn && isByFetch(provider, environment)) sum += provider.concurrency;
  return sum;
}

function isByFetch(
  { options, connection }: ConfiguredProvider,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (connection?.proxy !== undefined) return true;
  const hasAddress = typeof options === "object" && options !== null && "base_url" in options;
  const isHttp = hasAddress && String(options.base_url).startsWith("http://");
  return isLeftToFetch(isHttp ? "http:" : "https:", environment);
}
