/** The address: whether it is free or answers, who can reach it, when the certificate expires, and the limit of open files. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { GatewayConfig } from "../../config/gateway-config";
import type { CertificateAndKey } from "../../domain/connection-options";
import type { Outside } from "../../domain/outside";
import { isLoopback } from "../../domain/this-machine";
import { type Finding, fine, note, withConfig, wrong } from "./finding";

const WAIT_MS = 5_000;

/** @param running process ids of gateways on this database */
export async function port(
  { server: { host, port: number, tls } }: GatewayConfig,
  running: readonly number[],
  outside: Pick<Outside, "fetch">,
): Promise<Finding> {
  const address = `${host}:${number}`;
  if (running.length === 0) return canListen(host, number, address);
  const asked = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  const url = `http${tls ? "s" : ""}://${asked.includes(":") ? `[${asked}]` : asked}:${number}/readyz`;
  const mend = "journalctl -u embedgate (or its log), then restart it";
  try {
    // It is on this machine, but its certificate has another name.
    const insecure = tls ? { tls: { rejectUnauthorized: false } } : {};
    const { status } = await outside.fetch(url, { signal: AbortSignal.timeout(WAIT_MS), ...insecure });
    if (status === 200)
      return fine("port", `the gateway (process ${running.join(", ")}) answers on ${address} and is ready`);
    return wrong("port", `the gateway answers ${status} on ${url}`, mend);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (/ECONNREFUSED|ConnectionRefused/.test(`${codeOf(cause)} ${reason}`))
      return note(
        "port",
        `a gateway is running (process ${running.join(", ")}), but does not listen on ${address}`,
        "start it without --host and --port, or ask it where it listens: its log says 'gateway started'",
      );
    return wrong("port", `a gateway is running, but ${url} does not answer: ${reason}`, mend);
  }
}

const codeOf = (cause: unknown) => (cause instanceof Error && "code" in cause ? String(cause.code) : "");

function canListen(host: string, number: number, address: string): Finding {
  try {
    Bun.listen({ hostname: host, port: number, socket: { data: () => undefined } }).stop(true);
    return note(
      "port",
      `no gateway is running on this database; ${address} is free`,
      "embedgate serve, or systemctl start embedgate",
    );
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (/EACCES|permission/i.test(reason))
      return wrong(
        "port",
        `${address} cannot be listened on by this user`,
        "set server.port to 1024 or more",
      );
    return wrong(
      "port",
      `no gateway is running on this database, and ${address} cannot be listened on: ${reason}`,
      `ss -ltnp 'sport = :${number}'`,
    );
  }
}

/** @param hasKeys whether a key was ever created */
export function reach({ server: { host, tls }, auth, file }: GatewayConfig, hasKeys: boolean): Finding {
  if (isLoopback(host)) return fine("reach", `only this machine reaches ${host}`);
  if (auth.mode === "open")
    return wrong(
      "reach",
      `other machines reach ${host}, and no key is needed (auth.mode: open)`,
      "set auth.mode to keys in the routing file",
    );
  const hasOther = auth.jwt !== undefined || auth.bootstrapKeySha256 !== undefined;
  if (!hasKeys && !hasOther)
    return wrong(
      "reach",
      `other machines reach ${host}, and no key exists: the gateway does not start`,
      `embedgate keys create --name first${withConfig(file)}`,
    );
  return tls === undefined
    ? note(
        "reach",
        `other machines reach ${host} without TLS: keys and texts are readable on the way`,
        "set server.tls, or put a proxy with TLS before it",
      )
    : fine("reach", `other machines reach ${host}, by TLS and with keys`);
}

const DAYS_NOTE = 21;
const DAY_MS = 86_400_000;

export function certificate(
  tls: Pick<CertificateAndKey, "cert"> | undefined,
  now: number,
): readonly Finding[] {
  if (tls === undefined) return [];
  const { validTo, subject } = new X509Certificate(tls.cert);
  const days = Math.floor((Date.parse(validTo) - now) / DAY_MS);
  const name = subject.replaceAll("\n", ", ");
  const mend = "renew the certificate: new connections get it at once";
  if (days < 0) return [wrong("certificate", `${name} ended on ${validTo}`, mend)];
  const says = `${name} is valid for ${days} days`;
  return [days < DAYS_NOTE ? note("certificate", says, mend) : fine("certificate", says)];
}

/** Each connection and each call to a provider needs one. */
const FILES_MIN = 4_096;

/** @param limits the content of /proc/self/limits */
export function openFiles(limits = limitsHere()): readonly Finding[] {
  const [, hard] = /^Max open files +\S+ +(\d+|unlimited)/m.exec(limits) ?? [];
  if (hard === undefined) return [];
  return Number(hard) < FILES_MIN
    ? [
        note(
          "open files",
          `at most ${hard} in this shell: each connection is one`,
          "ulimit -n 65536, or LimitNOFILE=65536 in the unit",
        ),
      ]
    : [fine("open files", `at most ${hard}`)];
}

function limitsHere(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return "";
  }
}
