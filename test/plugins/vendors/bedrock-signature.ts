/**
 * Checks whether a request to Bedrock, or to another of AWS's services, is signed correctly: the received request is signed again by AWS's own
 * signer, and the two signatures are compared. It uses nothing of the plugin's signer.
 */
import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";

export const AWS_KEYS = {
  accessKeyId: "AKIAQ7FAKE3EXAMPLE5J",
  secretAccessKey: "wJalrXUtnFEMIK7MDENGbPxRfiCYfakeEXAMPLEKEY",
} as const;
/** Temporary ones. */
export const ROLE_KEYS = {
  accessKeyId: "ASIAQ7FAKE9EXAMPLE2K",
  secretAccessKey: "8xKqFakeRoleSecretUtnFEMIbPxRfiCYz31Lm4tTQw",
  sessionToken: "IQoJb3JpZ2luX2VjEFakeSessionTokenOfARole0kq7Rr2Lx4Zc9Vb1Nm3Qw5Et7Yu9I",
} as const;

/** SHA-256 as the signer wants it: with a secret its HMAC. */
class Sha256 {
  private readonly hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.hash = secret === undefined ? createHash("sha256") : createHmac("sha256", bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.hash.digest();
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === "string") return Buffer.from(data);
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

const KNOWN: readonly Keys[] = [AWS_KEYS, ROLE_KEYS];

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Undefined if it is right, else the header's word and the message. */
export async function wrongSignature(
  url: string,
  method: string,
  headers: Headers,
  body: string,
  region: string,
  service = "bedrock",
): Promise<readonly [type: string, message: string] | undefined> {
  const given = headers.get("authorization") ?? "";
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      given,
    );
  if (!parts) return ["MissingAuthenticationTokenException", "Missing Authentication Token"];
  const [, keyId, , scopeRegion, scopeService, names = ""] = parts;
  const keys = KNOWN.find(({ accessKeyId }) => accessKeyId === keyId);
  if (!keys) return ["UnrecognizedClientException", "The security token included in the request is invalid."];
  if ((headers.get("x-amz-security-token") ?? undefined) !== keys.sessionToken)
    return ["UnrecognizedClientException", "The security token included in the request is invalid."];
  if (scopeRegion !== region || scopeService !== service)
    return [
      "InvalidSignatureException",
      `Credential should be scoped to a valid region: ${region}/${service}.`,
    ];
  const signed = names.split(";");
  const needed = [...headers.keys()].filter((name) => name.startsWith("x-amz-"));
  if (["host", "content-type", ...needed].some((name) => !signed.includes(name)))
    return ["InvalidSignatureException", "A header that must be signed is not."];
  const right = await signature(url, method, signed, headers, body, { region, service }, keys);
  // AWS includes the canonical request here, with all headers' values.
  return right === given
    ? undefined
    : [
        "InvalidSignatureException",
        `The request signature we calculated does not match the signature you provided. ${[...headers].join("\n")}`,
      ];
}

async function signature(
  url: string,
  method: string,
  signed: readonly string[],
  headers: Headers,
  body: string,
  { region, service }: { readonly region: string; readonly service: string },
  credentials: Keys,
): Promise<string | undefined> {
  const { protocol, hostname, port, pathname, host } = new URL(url);
  const signer = new SignatureV4({
    service,
    region,
    credentials,
    sha256: Sha256,
    applyChecksum: false,
  });
  const date = (headers.get("x-amz-date") ?? "").replace(
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
    "$1-$2-$3T$4:$5:$6Z",
  );
  const values = signed.map((name) => [name, name === "host" ? host : (headers.get(name) ?? "")]);
  const request = {
    method,
    protocol,
    hostname,
    ...(port === "" ? {} : { port: Number(port) }),
    path: pathname,
    query: {},
    headers: Object.fromEntries(values),
    body,
  };
  const again = await signer.sign(request, {
    signingDate: new Date(date),
    signableHeaders: new Set(signed),
  });
  return again.headers.authorization;
}
