/**
 * The form in which every source returns AWS credentials, and the error where there are none. credentials.ts has the order of the sources.
 */
import type { Host } from "../../src/plugin";
import { withoutSlash } from "../base-url";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface Found extends Credentials {
  /** From this time on the credentials are renewed, while the old ones still work. */
  readonly freshUntil: number;
  readonly expiresAt: number;
}

/** Files may change at any time, so they are read again after a minute. */
const REREAD_MS = 60_000;
/** AWS provides new credentials five minutes before the old ones expire. */
const EARLY_MS = 5 * 60_000;

/** Credentials without an expiry time. */
export const lasting = (host: Pick<Host, "now">, credentials: Credentials): Found => ({
  ...credentials,
  freshUntil: host.now() + REREAD_MS,
  expiresAt: Number.POSITIVE_INFINITY,
});

/** @param until milliseconds since 1970; an invalid date counts as expired, because otherwise the credentials would never be renewed */
export const ending = (credentials: Credentials, until: number): Found => ({
  ...credentials,
  freshUntil: (until || 0) - EARLY_MS,
  expiresAt: until || 0,
});

export const none = (host: Pick<Host, "failure">, what: string, cause?: unknown) =>
  host.failure(
    "unauthorized",
    `No AWS credentials: ${what}. Set access_key_id and secret_access_key, a profile, api_key, or the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.`,
    { cause },
  );

/** The URL of an AWS service in a region, unless its environment variable names another (AWS_ENDPOINT_URL_STS and similar). */
export function endpointOf(
  host: Pick<Host, "variable">,
  service: string,
  name: string,
  region: string,
): string {
  const elsewhere = host.variable(`AWS_ENDPOINT_URL_${name}`) ?? host.variable("AWS_ENDPOINT_URL");
  if (elsewhere !== undefined) return withoutSlash(elsewhere);
  return `https://${service}.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
}

/** Expands `~` as AWS's files use it for the home folder. */
export const homeOf = (host: Pick<Host, "variable">) =>
  host.variable("HOME") ?? host.variable("USERPROFILE") ?? "";
