/**
 * Roles by AWS's Security Token Service: assumed by other credentials, or by a token of an identity provider (EKS, GitHub, …).
 * Sources: docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html and …/API_AssumeRoleWithWebIdentity.html.
 */
import { AwsV4Signer } from "aws4fetch";
import type { Explanation, Host, Posted, SendCall } from "../../src/plugin";
import { within } from "../within";
import { type Credentials, ending, endpointOf, type Found, none } from "./keys";

export interface Role {
  readonly arn: string;
  readonly sessionName?: string | undefined;
  readonly externalId?: string | undefined;
  readonly seconds?: number | undefined;
  /** The region of the STS endpoint. */
  readonly region: string;
}

const VERSION = "2011-06-15";
const SECONDS = 3600;
const TIMEOUT_MS = 10_000;
/** The session's name in CloudTrail. */
const SESSION_NAME = "embedgate";

export function assumeRole(host: Host, role: Role, by: Credentials): Promise<Found> {
  const { arn, sessionName = SESSION_NAME, externalId, seconds = SECONDS } = role;
  const form = {
    Action: "AssumeRole",
    Version: VERSION,
    RoleArn: arn,
    RoleSessionName: sessionName,
    DurationSeconds: String(seconds),
    ...(externalId !== undefined && { ExternalId: externalId }),
  };
  return asked(host, role, form, by);
}

/** @param token the content of the token file, which the issuer replaces */
export function assumeRoleByToken(host: Host, role: Role, token: string): Promise<Found> {
  const { arn, sessionName = SESSION_NAME, seconds = SECONDS } = role;
  const form = {
    Action: "AssumeRoleWithWebIdentity",
    Version: VERSION,
    RoleArn: arn,
    RoleSessionName: sessionName,
    WebIdentityToken: token,
    DurationSeconds: String(seconds),
  };
  return asked(host, role, form, undefined);
}

async function asked(
  host: Host,
  { region, arn }: Role,
  form: Readonly<Record<string, string>>,
  by: Credentials | undefined,
): Promise<Found> {
  const request = {
    method: "POST",
    url: `${endpointOf(host, "sts", "STS", region)}/`,
    headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
    body: new URLSearchParams(form).toString(),
  } as const;
  const headers = by === undefined ? request.headers : await signed(host, request, region, by);
  const explain = (refusal: Posted) => refused(refusal, arn);
  const late = "AWS's Security Token Service did not answer in time.";
  const reply = await within(host, TIMEOUT_MS, late, (signal) =>
    host.send({ ...request, headers, explain, signal }),
  );
  const xml = new TextDecoder().decode(reply.bytes);
  const accessKeyId = elementOf(xml, "AccessKeyId");
  const secretAccessKey = elementOf(xml, "SecretAccessKey");
  const sessionToken = elementOf(xml, "SessionToken");
  // The reply's text is left out of the message: a broken reply may contain the keys themselves.
  if (!accessKeyId || !secretAccessKey || !sessionToken)
    throw none(host, `the Security Token Service's answer has none for the role ${arn}`);
  return ending(
    { accessKeyId, secretAccessKey, sessionToken },
    Date.parse(elementOf(xml, "Expiration") ?? ""),
  );
}

async function signed(
  host: Host,
  request: Pick<SendCall, "method" | "url" | "headers" | "body">,
  region: string,
  by: Credentials,
): Promise<Record<string, string>> {
  const datetime = new Date(host.now()).toISOString().replace(/[:-]|\.\d{3}/g, "");
  const signer = new AwsV4Signer({
    ...request,
    headers: { ...request.headers },
    ...by,
    service: "sts",
    region,
    datetime,
    allHeaders: true,
  });
  return Object.fromEntries((await signer.sign()).headers);
}

/** Reports the error code and the role only: the message names accounts and users. */
function refused({ status, bytes }: Posted, arn: string): Explanation {
  const code = elementOf(new TextDecoder().decode(bytes), "Code") ?? "";
  const word = /^[A-Za-z.]{1,80}$/.test(code) ? code : "no reason given";
  const isPassing = status >= 500 || status === 429 || /Throttl/.test(word);
  return {
    ...(isPassing ? { kind: "unavailable" as const } : { kind: "unauthorized" as const }),
    message: `the role ${arn} cannot be assumed (${word})`,
  };
}

/** The text of the first element with this name. */
function elementOf(xml: string, name: string): string | undefined {
  const from = xml.indexOf(`<${name}>`);
  const end = from === -1 ? -1 : xml.indexOf(`</${name}>`, from);
  return end === -1 ? undefined : xml.slice(from + name.length + 2, end).trim();
}
