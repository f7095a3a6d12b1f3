/**
 * How the bedrock plugin authenticates: signatures identical to botocore's, and each source of credentials.
 * signatures.json is botocore's own output (signatures.py says how); a further source is a row of SOURCES.
 */
import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { failureOf } from "../../../src/conformance/subject";
import { BEDROCK_KEY, bedrockVendor } from "../vendors/bedrock";
import { AWS_KEYS, ROLE_KEYS } from "../vendors/bedrock-signature";
import { call, keyOf, open, type World } from "./world";

const Signed = Type.Array(
  Type.Object({
    region: Type.String(),
    model: Type.String(),
    text: Type.String(),
    options: Type.Record(Type.String(), Type.Unknown()),
    url: Type.String(),
    body: Type.String(),
    headers: Type.Record(Type.String(), Type.String()),
  }),
);
const recorded = Value.Parse(Signed, await Bun.file(`${import.meta.dir}/signatures.json`).json());

describe("signatures", () => {
  test.each(recorded)("equal botocore's exactly: $region $model", async (right) => {
    const reply = { embedding: [1], inputTextTokenCount: 1 };
    const { region, options } = right;
    const { upstream, sent } = open({
      options: { ...options, region },
      model: async () => Response.json(reply),
    });
    await upstream.embed({ ...call, model: right.model, inputs: [right.text] });
    expect(sent.map(({ url, body }) => ({ url, body }))).toEqual([{ url: right.url, body: right.body }]);
    expect(Object.fromEntries(sent[0]?.headers ?? [])).toEqual(right.headers);
  });

  test("cover the body: the fake refuses a request that was changed on its way", async () => {
    const { upstream } = open({
      options: { access_key_id: AWS_KEYS.accessKeyId, secret_access_key: AWS_KEYS.secretAccessKey },
      model: (url, init) => bedrockVendor().fetch(url, { ...init, body: '{"inputText":"two"}' }),
    });
    const failure = await failureOf(upstream.embed(call));
    expect(failure).toMatchObject({ kind: "unauthorized" });
    expect(failure.message).toContain("does not match the signature you provided");
    expect(failure.message).not.toMatch(/AKIA|Signature=[0-9a-f]{8}/);
  });
});

const keys = ({ accessKeyId, secretAccessKey }: typeof AWS_KEYS | typeof ROLE_KEYS) => ({
  AWS_ACCESS_KEY_ID: accessKeyId,
  AWS_SECRET_ACCESS_KEY: secretAccessKey,
});
const profile = (name: string, { accessKeyId, secretAccessKey }: typeof AWS_KEYS | typeof ROLE_KEYS) =>
  `[${name}]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`;
const TOKEN = `aws_session_token = ${ROLE_KEYS.sessionToken}\n`;

describe("credentials", () => {
  const given = { access_key_id: AWS_KEYS.accessKeyId, secret_access_key: AWS_KEYS.secretAccessKey };
  const temporary = {
    access_key_id: ROLE_KEYS.accessKeyId,
    secret_access_key: ROLE_KEYS.secretAccessKey,
    session_token: ROLE_KEYS.sessionToken,
  };
  const file = { "/home-of-ours/.aws/credentials": `# ours\n${profile("default", AWS_KEYS)}` };
  const two = {
    "/elsewhere/keys": `${profile("other", AWS_KEYS)}\r\n; theirs\r\n${profile(" batch ", ROLE_KEYS)}${TOKEN}`,
  };
  const HOME = "/home-of-ours";
  const SOURCES: readonly (readonly [string, World, string])[] = [
    ["the routing file", { options: given }, AWS_KEYS.accessKeyId],
    ["the routing file, temporary ones", { options: temporary }, ROLE_KEYS.accessKeyId],
    [
      "the routing file before the environment",
      { options: given, environment: { ...keys(ROLE_KEYS), AWS_BEARER_TOKEN_BEDROCK: "other" } },
      AWS_KEYS.accessKeyId,
    ],
    ["the environment", { environment: keys(AWS_KEYS) }, AWS_KEYS.accessKeyId],
    [
      "the environment, temporary ones",
      { environment: { ...keys(ROLE_KEYS), AWS_SESSION_TOKEN: ROLE_KEYS.sessionToken } },
      ROLE_KEYS.accessKeyId,
    ],
    ["the file in the home folder", { environment: { HOME }, files: file }, AWS_KEYS.accessKeyId],
    [
      "the file of another system's home folder",
      { environment: { USERPROFILE: HOME }, files: file },
      AWS_KEYS.accessKeyId,
    ],
    [
      "another file, a profile of it by the environment",
      { environment: { AWS_SHARED_CREDENTIALS_FILE: "/elsewhere/keys", AWS_PROFILE: "batch" }, files: two },
      ROLE_KEYS.accessKeyId,
    ],
    [
      "a profile of the routing file's before the environment's keys",
      {
        options: { profile: "batch" },
        environment: {
          ...keys(AWS_KEYS),
          AWS_SHARED_CREDENTIALS_FILE: "/elsewhere/keys",
          AWS_PROFILE: "other",
        },
        files: two,
      },
      ROLE_KEYS.accessKeyId,
    ],
  ];
  test.each(SOURCES)("come from %s", async (_, world, key) => {
    const { upstream, sent } = open(world);
    await upstream.embed(call);
    expect(sent.map(keyOf)).toEqual([key]);
  });

  test.each<[string, World]>([
    ["the routing file", { options: { api_key: BEDROCK_KEY }, environment: keys(AWS_KEYS) }],
    ["the environment", { environment: { ...keys(AWS_KEYS), AWS_BEARER_TOKEN_BEDROCK: BEDROCK_KEY } }],
  ])("an API key of %s is sent as it is", async (_, world) => {
    const { upstream, sent } = open(world);
    await upstream.embed(call);
    expect(sent[0]?.headers.get("authorization")).toBe(`Bearer ${BEDROCK_KEY}`);
    expect(sent[0]?.headers.has("x-amz-date")).toBe(false);
  });

  test.each<[string, World, string]>([
    ["nothing at all", {}, "AWS_ACCESS_KEY_ID"],
    ["half a pair", { options: { access_key_id: "AKIA" } }, "secret_access_key"],
    ["a profile that is not there", { options: { profile: "gone" }, files: two }, '"gone"'],
    ["metadata that may not be asked", { environment: { AWS_EC2_METADATA_DISABLED: "TRUE" } }, "metadata"],
  ])("with %s, the failure says what to give", async (_, world, words) => {
    const { upstream, sent } = open(world);
    const failure = await failureOf(upstream.embed(call));
    expect(failure.kind).toBe("unauthorized");
    expect(failure.message).toContain(words);
    expect(sent).toEqual([]);
  });

  test("a changed file is read again, after a minute or a refusal", async () => {
    const files: Record<string, string> = { "/home-of-ours/.aws/credentials": profile("default", AWS_KEYS) };
    let refuses = false;
    const { upstream, sent, clock } = open({
      environment: { HOME },
      files,
      model: (url, init) =>
        refuses ? Promise.resolve(new Response("{}", { status: 403 })) : bedrockVendor().fetch(url, init),
    });
    await upstream.embed(call);
    files["/home-of-ours/.aws/credentials"] = profile("default", ROLE_KEYS) + TOKEN;
    await upstream.embed(call);
    await clock.advance(60_000);
    await upstream.embed(call);
    files["/home-of-ours/.aws/credentials"] = profile("default", AWS_KEYS);
    refuses = true;
    await failureOf(upstream.embed(call));
    refuses = false;
    await upstream.embed(call);
    const [own, role] = [AWS_KEYS.accessKeyId, ROLE_KEYS.accessKeyId];
    expect(sent.map(keyOf)).toEqual([own, own, role, role, own]);
  });
});
