/**
 * Temporary credentials of the bedrock plugin: assumed roles, web identities, containers, IAM Identity Center.
 * A further source is a row of PLACES; the fakes are vendors/aws-givers.ts.
 */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { failureOf } from "../../../src/conformance/subject";
import { STARTED_AT } from "../../fake-outside";
import { awsGivers, CONTAINER_TOKEN, EXTERNAL_ID, ROLE, SSO, WEB_TOKEN } from "../vendors/aws-givers";
import { REGION } from "../vendors/bedrock";
import { AWS_KEYS, ROLE_KEYS } from "../vendors/bedrock-signature";
import { call, keyOf, open, type World } from "./world";

const HOME = "/home-of-ours";
const TOKEN_FILE = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
const KEYS = `aws_access_key_id = ${AWS_KEYS.accessKeyId}\naws_secret_access_key = ${AWS_KEYS.secretAccessKey}\n`;
const given = { access_key_id: AWS_KEYS.accessKeyId, secret_access_key: AWS_KEYS.secretAccessKey };
const environmentKeys = {
  AWS_ACCESS_KEY_ID: AWS_KEYS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: AWS_KEYS.secretAccessKey,
};
const role = `role_arn = ${ROLE}\nexternal_id = ${EXTERNAL_ID}\n`;
const cacheOf = (id: string) => `${HOME}/.aws/sso/cache/${createHash("sha1").update(id).digest("hex")}.json`;
const cached = (expiresAt: number, more: object = {}) =>
  JSON.stringify({ startUrl: "https://x", accessToken: SSO.token, expiresAt: new Date(expiresAt), ...more });
const renewing = {
  clientId: SSO.clientId,
  clientSecret: SSO.clientSecret,
  refreshToken: SSO.refreshToken,
};
const sso = `sso_account_id = ${SSO.account}\nsso_role_name = ${SSO.role}\n`;
const SESSION = `[profile work]\nsso_session = our sso\n${sso}[sso-session our sso]\nsso_region = ${REGION}\nsso_start_url = https://x\n`;
const LATER = STARTED_AT + 8 * 3_600_000;

function world(how: World) {
  let now = () => STARTED_AT;
  const givers = awsGivers(REGION, () => now());
  const opened = open({
    ...how,
    environment: { HOME, ...how.environment },
    givers: givers.fetch,
  });
  now = opened.clock.outside.now;
  return { ...opened, givers };
}

const web = { AWS_WEB_IDENTITY_TOKEN_FILE: TOKEN_FILE, AWS_ROLE_ARN: ROLE };
const webFile = { [TOKEN_FILE]: `${WEB_TOKEN}\n` };
const pods = {
  AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://169.254.170.23/v1/credentials",
  AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: "/var/run/secrets/pods/token",
};

const PLACES: readonly (readonly [string, World, readonly string[]])[] = [
  [
    "a role of the routing file's, by its keys",
    { options: { ...given, role_arn: ROLE, external_id: EXTERNAL_ID } },
    ["AssumeRole"],
  ],
  [
    "a role of the routing file's, by the environment's keys",
    { options: { role_arn: ROLE, external_id: EXTERNAL_ID }, environment: environmentKeys },
    ["AssumeRole"],
  ],
  [
    "a profile's role by another profile, in the two files",
    {
      options: { profile: "embedder" },
      files: {
        [`${HOME}/.aws/config`]: `[default]\nregion=eu-west-1\n[profile embedder]\n${role}source_profile = base\n`,
        [`${HOME}/.aws/credentials`]: `[base]\n${KEYS}`,
      },
    },
    ["AssumeRole"],
  ],
  [
    "a profile's role by its own keys",
    {
      environment: { AWS_PROFILE: "embedder" },
      files: { [`${HOME}/.aws/credentials`]: `[embedder]\n${role}source_profile=embedder\n${KEYS}` },
    },
    ["AssumeRole"],
  ],
  [
    "a profile's role by the environment, in a file elsewhere",
    {
      options: { profile: "embedder" },
      environment: { ...environmentKeys, AWS_CONFIG_FILE: "/etc/aws" },
      files: { "/etc/aws": `[profile embedder]\n${role}credential_source = Environment\n` },
    },
    ["AssumeRole"],
  ],
  [
    "a web identity of the environment (EKS)",
    { environment: web, files: webFile },
    ["AssumeRoleWithWebIdentity"],
  ],
  [
    "a web identity of a profile",
    {
      options: { profile: "embedder" },
      files: {
        ...webFile,
        [`${HOME}/.aws/config`]: `[profile embedder]\nrole_arn = ${ROLE}\nweb_identity_token_file = ${TOKEN_FILE}\nrole_session_name = ours\n`,
      },
    },
    ["AssumeRoleWithWebIdentity"],
  ],
  [
    "a container's address below ECS'",
    {
      environment: {
        AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/v2/credentials/1",
        AWS_CONTAINER_AUTHORIZATION_TOKEN: CONTAINER_TOKEN,
      },
    },
    ["169.254.170.2/v2/credentials/1"],
  ],
  [
    "a pod's identity, with its token in a file",
    { environment: pods, files: { "/var/run/secrets/pods/token": `${CONTAINER_TOKEN}\n` } },
    ["169.254.170.23/v1/credentials"],
  ],
  [
    "IAM Identity Center, by a session",
    {
      options: { profile: "work" },
      files: { [`${HOME}/.aws/config`]: SESSION, [cacheOf("our sso")]: cached(LATER) },
    },
    [`portal.sso.${REGION}.amazonaws.com/federation/credentials`],
  ],
  [
    "IAM Identity Center, as profiles had it before sessions",
    {
      options: { profile: "work" },
      files: {
        [`${HOME}/.aws/config`]: `[profile work]\nsso_start_url = https://x\nsso_region = ${REGION}\n${sso}`,
        [cacheOf("https://x")]: cached(LATER),
      },
    },
    [`portal.sso.${REGION}.amazonaws.com/federation/credentials`],
  ],
  [
    "IAM Identity Center, with a token near its end that is renewed",
    {
      options: { profile: "work" },
      files: {
        [`${HOME}/.aws/config`]: SESSION,
        [cacheOf("our sso")]: cached(STARTED_AT + 60_000, renewing),
      },
    },
    [`oidc.${REGION}.amazonaws.com/token`, `portal.sso.${REGION}.amazonaws.com/federation/credentials`],
  ],
];

describe("credentials come from", () => {
  test.each(PLACES)("%s, once per hour", async (_, how, asked) => {
    const { upstream, sent, givers, clock } = world(how);
    await Promise.all([upstream.embed(call), upstream.embed(call)]);
    expect(givers.asked).toEqual([...asked]);
    await clock.advance(3_299_000);
    await upstream.embed(call);
    expect(givers.asked).toHaveLength(asked.length);
    await clock.advance(2_000);
    await upstream.embed(call);
    expect(givers.asked.length).toBeGreaterThan(asked.length);
    expect(sent.map(keyOf)).toEqual(new Array(4).fill(ROLE_KEYS.accessKeyId));
    expect(sent[0]?.headers.get("x-amz-security-token")).toBe(ROLE_KEYS.sessionToken);
    expect(clock.sleeping()).toEqual([]);
  });

  test("a web identity's token is read again for each renewal", async () => {
    const files: Record<string, string> = { ...webFile };
    const { upstream, clock } = world({ environment: web, files });
    await upstream.embed(call);
    files[TOKEN_FILE] = "of-somebody-else";
    await clock.advance(3_601_000);
    expect((await failureOf(upstream.embed(call))).message).toContain("InvalidIdentityToken");
    files[TOKEN_FILE] = WEB_TOKEN;
    await upstream.embed(call);
  });

  test("are used until they expire while their source is down, and then it is not a refusal", async () => {
    const { upstream, givers, clock } = world({ environment: web, files: webFile });
    await upstream.embed(call);
    givers.fails = 503;
    await clock.advance(3_500_000);
    await upstream.embed(call);
    await clock.advance(200_000);
    expect((await failureOf(upstream.embed(call))).kind).toBe("unavailable");
  });
});

describe("without credentials, the failure says why and shows no secret:", () => {
  const config = (text: string) => ({ [`${HOME}/.aws/config`]: text });
  const NONE: readonly (readonly [string, World, string])[] = [
    ["the role is another's", { options: { ...given, role_arn: `${ROLE}-2` } }, "AccessDenied"],
    ["the external id is missing", { options: { ...given, role_arn: ROLE } }, "AccessDenied"],
    ["the token's file is gone", { environment: web }, TOKEN_FILE],
    ["the identity is no more", { environment: web, files: { [TOKEN_FILE]: "old" } }, "InvalidIdentityToken"],
    [
      "a container's address that leaves the machine in the clear",
      { environment: { AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://pods.example/keys" } },
      "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ],
    [
      "a container's token is wrong",
      { environment: pods, files: { [pods.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE]: "x" } },
      "container",
    ],
    ["a container's token is gone", { environment: pods }, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
    ["not logged in", { options: { profile: "work" }, files: config(SESSION) }, "aws sso login"],
    [
      "the login has expired",
      {
        options: { profile: "work" },
        files: { ...config(SESSION), [cacheOf("our sso")]: cached(STARTED_AT - 1000) },
      },
      "aws sso login",
    ],
    [
      "the session is not there",
      { options: { profile: "work" }, files: config("[profile work]\nsso_session = gone\n") },
      "sso_region",
    ],
    [
      "a role asks for a person's device",
      {
        options: { profile: "a" },
        files: config(`[profile a]\n${role}source_profile = a\nmfa_serial = x\n`),
      },
      "mfa_serial",
    ],
    [
      "profiles wait for one another",
      {
        options: { profile: "a" },
        files: config(`[profile a]\n${role}source_profile = b\n[profile b]\n${role}source_profile = a\n`),
      },
      "circular source_profile",
    ],
    [
      "a program would make them",
      { options: { profile: "a" }, files: config("[profile a]\ncredential_process = /bin/keys\n") },
      "credential_process",
    ],
    [
      "a source that is none",
      { options: { profile: "a" }, files: config(`[profile a]\n${role}credential_source = Moon\n`) },
      "credential_source",
    ],
  ];
  test.each(NONE)("%s", async (_, how, words) => {
    const { upstream, sent } = world(how);
    const failure = await failureOf(upstream.embed(call));
    expect(failure.kind).toBe("unauthorized");
    expect(failure.message).toContain(words);
    expect(failure.message).not.toMatch(/eyJ|AKIA|wJal|aoaAAAA|fake-client/);
    expect(sent).toEqual([]);
  });
});
