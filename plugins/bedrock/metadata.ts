/**
 * Credentials from where the gateway runs: a container's (ECS, EKS Pod Identity) or a machine's (EC2, version 2).
 * Sources: docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html and …/feature-imds-credentials.html
 */
import type { Host } from "../../src/plugin";
import { withoutSlash } from "../base-url";
import { within } from "../within";
import { ending, type Found, none } from "./keys";

/** Outside AWS nothing answers at this address, not even with an error. */
const METADATA_TIMEOUT_MS = 2_000;
const CONTAINER_TIMEOUT_MS = 5_000;
/** Plain http is only allowed to addresses on this machine, because the answer is a secret. */
const CONTAINER_HOSTS = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", "localhost", "[::1]"];

const keysSchema = ({ t }: Pick<Host, "t">) =>
  t.Object({
    AccessKeyId: t.String({ minLength: 1 }),
    SecretAccessKey: t.String({ minLength: 1 }),
    Token: t.String({ minLength: 1 }),
    Expiration: t.String(),
  });

function keysIn(host: Host, bytes: Uint8Array): Found {
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = host.read(keysSchema(host), bytes);
  return ending(
    { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token },
    Date.parse(Expiration),
  );
}

/** @returns undefined where the environment names no credentials endpoint */
export async function fromContainer(host: Host): Promise<Found | undefined> {
  const relative = host.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const url = relative
    ? `http://169.254.170.2${relative}`
    : host.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (url === undefined) return undefined;
  if (!isTrusted(url))
    throw none(host, "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an address of this machine");
  const file = host.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  // Read each time: EKS writes a new token before the old one ends.
  const token = file
    ? (await host.readFile(file))?.trim()
    : host.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (file && !token) throw none(host, "the file AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read");
  const headers: Record<string, string> = token ? { authorization: token } : {};
  try {
    const late = "The container's credentials endpoint did not answer in time.";
    return await within(host, CONTAINER_TIMEOUT_MS, late, async (signal) =>
      keysIn(host, (await host.send({ method: "GET", url, headers, signal })).bytes),
    );
  } catch (cause) {
    // A fixed message: a broken reply may contain the keys themselves.
    throw none(host, "the container's credentials endpoint returned none", cause);
  }
}

function isTrusted(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname } = new URL(address);
  if (protocol === "https:") return true;
  return (
    protocol === "http:" && (CONTAINER_HOSTS.includes(hostname) || /^127\.\d+\.\d+\.\d+$/.test(hostname))
  );
}

/** Fetches a token, then the role's name, then its keys, as version 2 requires. */
export async function fromInstance(host: Host): Promise<Found> {
  const elsewhere = host.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  const base = `${withoutSlash(elsewhere ?? "http://169.254.169.254")}/latest`;
  if (host.variable("AWS_EC2_METADATA_DISABLED")?.toLowerCase() === "true")
    throw none(host, "none are set, and the instance metadata service is disabled");
  try {
    return await within(
      host,
      METADATA_TIMEOUT_MS,
      "The instance metadata service did not answer.",
      async (signal) => {
        const lifetime = { "x-aws-ec2-metadata-token-ttl-seconds": "21600" };
        const asked = await host.send({ method: "PUT", url: `${base}/api/token`, headers: lifetime, signal });
        const headers = { "x-aws-ec2-metadata-token": textOf(asked.bytes) };
        const url = `${base}/meta-data/iam/security-credentials/`;
        const roles = await host.send({ method: "GET", url, headers, signal });
        const role = encodeURIComponent(textOf(roles.bytes).split("\n")[0]?.trim() ?? "");
        return keysIn(host, (await host.send({ method: "GET", url: url + role, headers, signal })).bytes);
      },
    );
  } catch (cause) {
    // A fixed message: a broken reply may contain the keys themselves.
    throw none(host, "none are set, and the instance has no role", cause);
  }
}

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
