/**
 * Where AWS's credentials come from, in the order of its own tools: the routing file, the environment, the file that `aws configure` writes,
 * the role of the machine (instance metadata, version 2). A further source is a line of `find`.
 * Source: docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html and …/feature-imds-credentials.html
 */
import type { Host } from "../../src/plugin";
import { renewed } from "../renewed";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface GivenCredentials {
  readonly access_key_id?: string;
  readonly secret_access_key?: string;
  readonly session_token?: string;
  readonly profile?: string;
}

export interface CredentialSource {
  /** @throws failure unauthorized where there are none */
  current(): Promise<Credentials>;
  /** AWS refused them: they are looked for anew. */
  forget(): void;
}

interface Found extends Credentials {
  /** From then on they are looked for anew, while these still serve. */
  readonly freshUntil: number;
  readonly expiresAt: number;
}

/** A file may be written anew at any time, and a process's environment never is: a minute is soon enough, and seldom enough. */
const REREAD_MS = 60_000;
/** AWS has new ones ready five minutes before the old ones end. */
const EARLY_MS = 5 * 60_000;
/** Nobody answers there outside AWS, not even with a refusal. */
const METADATA_TIMEOUT_MS = 2_000;

export function credentialSource(host: Host, given: GivenCredentials): CredentialSource {
  return renewed(host, () => find(host, given));
}

async function find(host: Host, given: GivenCredentials): Promise<Found> {
  const { access_key_id, secret_access_key, session_token, profile } = given;
  const lasting = (credentials: Credentials): Found => ({
    ...credentials,
    freshUntil: host.now() + REREAD_MS,
    expiresAt: Number.POSITIVE_INFINITY,
  });
  if (access_key_id !== undefined || secret_access_key !== undefined) {
    if (access_key_id === undefined || secret_access_key === undefined)
      throw none(host, "access_key_id and secret_access_key go together, and one of them is missing");
    return lasting({
      accessKeyId: access_key_id,
      secretAccessKey: secret_access_key,
      sessionToken: session_token,
    });
  }
  const accessKeyId = host.variable("AWS_ACCESS_KEY_ID");
  const secretAccessKey = host.variable("AWS_SECRET_ACCESS_KEY");
  if (profile === undefined && accessKeyId !== undefined && secretAccessKey !== undefined)
    return lasting({ accessKeyId, secretAccessKey, sessionToken: host.variable("AWS_SESSION_TOKEN") });
  const named = profile ?? host.variable("AWS_PROFILE");
  const filed = await fromFile(host, named ?? "default");
  if (filed !== undefined) return lasting(filed);
  if (named !== undefined) throw none(host, `the profile "${named}" has no keys in AWS's credentials file`);
  return fromInstance(host);
}

const none = (host: Host, what: string, cause?: unknown) =>
  host.failure(
    "unauthorized",
    `There are no AWS credentials: ${what}. Give access_key_id and secret_access_key, a profile, api_key, or the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.`,
    { cause },
  );

/** The keys of one profile: `[name]` and lines of `key = value`; signs after `#` or `;` at a line's start are a comment. */
async function fromFile(host: Host, profile: string): Promise<Credentials | undefined> {
  const home = host.variable("HOME") ?? host.variable("USERPROFILE") ?? "";
  const path = host.variable("AWS_SHARED_CREDENTIALS_FILE") ?? `${home}/.aws/credentials`;
  const keys = new Map<string, string>();
  let section = "";
  for (const line of ((await host.readFile(path)) ?? "").split(/\r?\n/)) {
    const heading = /^\s*\[([^\]]*)\]/.exec(line);
    if (heading) section = heading[1]?.trim() ?? "";
    const [, key, value] = /^\s*([a-z_]+)\s*=\s*(\S+)/i.exec(line) ?? [];
    if (section === profile && key !== undefined && value !== undefined) keys.set(key.toLowerCase(), value);
  }
  const accessKeyId = keys.get("aws_access_key_id");
  const secretAccessKey = keys.get("aws_secret_access_key");
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey, sessionToken: keys.get("aws_session_token") };
}

/** A token first, then the role's name, then its keys: that is what version 2 asks for. */
async function fromInstance(host: Host): Promise<Found> {
  const { t } = host;
  const Keys = t.Object({
    AccessKeyId: t.String({ minLength: 1 }),
    SecretAccessKey: t.String({ minLength: 1 }),
    Token: t.String({ minLength: 1 }),
    Expiration: t.String(),
  });
  const elsewhere = host.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  const base = `${(elsewhere ?? "http://169.254.169.254").replace(/(?<!\/)\/+$/, "")}/latest`;
  if (host.variable("AWS_EC2_METADATA_DISABLED")?.toLowerCase() === "true")
    throw none(host, "none are set, and the machine's metadata are not to be asked");
  const over = new AbortController();
  const timer = new AbortController();
  host.sleep(METADATA_TIMEOUT_MS, timer.signal).then(
    () => over.abort(host.failure("timeout", "The machine's metadata did not answer.")),
    () => undefined,
  );
  const { signal } = over;
  try {
    const lifetime = { "x-aws-ec2-metadata-token-ttl-seconds": "21600" };
    const asked = await host.send({ method: "PUT", url: `${base}/api/token`, headers: lifetime, signal });
    const headers = { "x-aws-ec2-metadata-token": textOf(asked.bytes) };
    const url = `${base}/meta-data/iam/security-credentials/`;
    const roles = await host.send({ method: "GET", url, headers, signal });
    const role = textOf(roles.bytes).split("\n")[0]?.trim() ?? "";
    const keys = await host.send({
      method: "GET",
      url: `${url}${encodeURIComponent(role)}`,
      headers,
      signal,
    });
    const { AccessKeyId, SecretAccessKey, Token, Expiration } = host.read(Keys, keys.bytes);
    const expiresAt = Date.parse(Expiration);
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: Token,
      // A date that is none would make them eternal.
      freshUntil: (expiresAt || 0) - EARLY_MS,
      expiresAt: expiresAt || 0,
    };
  } catch (cause) {
    // In its own words: what a broken reply holds are the keys themselves.
    throw none(host, "none are set, and the machine has no role that would give any", cause);
  } finally {
    timer.abort();
  }
}

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
