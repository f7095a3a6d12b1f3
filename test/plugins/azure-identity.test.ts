/**
 * The azure plugin's Entra ID tokens: the source for each kind of identity, renewal in time, and the error if there is
 * none. A further source is a row of WAYS.
 */
import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import azure from "../../plugins/azure";
import { callFor, failureOf } from "../../src/conformance/subject";
import { GatewayError } from "../../src/domain/errors";
import { createHost } from "../../src/upstream/host";
import { fakeOutside, STARTED_AT } from "../fake-outside";
import { AZURE_KEY, azureVendor, RESOURCE } from "./vendors/azure";
import { CLIENT, entra, IDENTITY_HEADER, SECRET, TENANT, WORKLOAD_TOKEN } from "./vendors/entra";

const call = callFor({ model: "text-embedding-3-small" }, ["one"]);
const FILE = "/var/run/secrets/azure/tokens/azure-identity-token";
const LOGIN = `login.microsoftonline.com/${TENANT}/oauth2/v2.0/token`;
const MACHINE = "169.254.169.254/metadata/identity/oauth2/token";
const app = { tenant_id: TENANT, client_id: CLIENT };
const appVariables = { AZURE_TENANT_ID: TENANT, AZURE_CLIENT_ID: CLIENT };
const platform = {
  IDENTITY_ENDPOINT: "http://127.0.0.1:41741/msi/token",
  IDENTITY_HEADER,
};
const files = { [FILE]: `${WORKLOAD_TOKEN}\n` };

interface World {
  readonly options?: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
}

function open({ options = {}, environment = {}, files = {} }: World) {
  let now = () => STARTED_AT;
  const giver = entra(() => now());
  const vendor = azureVendor();
  const sent: Headers[] = [];
  const clock = fakeOutside({
    environment,
    readFile: async (path) => files[path],
    fetch: async (url, init) => {
      if (!url.startsWith(RESOURCE)) return giver.fetch(url, init);
      const headers = new Headers(init.headers);
      sent.push(new Headers(headers));
      const token = /^Bearer (.+)$/.exec(headers.get("authorization") ?? "")?.[1] ?? "";
      // The vendor's fake knows a key; a token that was issued is equally valid.
      if (giver.isToken(token)) headers.set("authorization", `Bearer ${AZURE_KEY}`);
      return vendor.fetch(url, { ...init, headers: Object.fromEntries(headers) });
    },
  });
  now = clock.outside.now;
  const provider = azure(createHost(clock.outside));
  const filled = Value.Default(provider.options, { base_url: RESOURCE, ...options });
  expect([...Value.Errors(provider.options, filled)]).toEqual([]);
  return { upstream: provider.open(filled), giver, clock, sent };
}

const WAYS: readonly (readonly [string, World, string])[] = [
  ["a client secret of the routing file's", { options: { ...app, client_secret: SECRET } }, LOGIN],
  [
    "a client secret of the environment's",
    { environment: { ...appVariables, AZURE_CLIENT_SECRET: SECRET } },
    LOGIN,
  ],
  [
    "a workload's identity (AKS)",
    {
      environment: {
        ...appVariables,
        AZURE_FEDERATED_TOKEN_FILE: FILE,
        AZURE_AUTHORITY_HOST: "https://login.microsoftonline.com/",
      },
      files,
    },
    LOGIN,
  ],
  [
    "a workload's identity of the routing file's",
    { options: { ...app, federated_token_file: FILE }, files },
    LOGIN,
  ],
  ["a platform's managed identity", { environment: platform }, "127.0.0.1:41741/msi/token"],
  [
    "one that a user assigned",
    { options: { client_id: CLIENT }, environment: platform },
    "127.0.0.1:41741/msi/token",
  ],
  ["a machine's managed identity", { options: { identity: "managed_identity" } }, MACHINE],
  [
    "a machine's that a user assigned",
    { options: { identity: "managed_identity", client_id: CLIENT } },
    MACHINE,
  ],
];

describe("a token comes by", () => {
  test.each(WAYS)("%s, and a new one before it expires", async (_, world, where) => {
    const { upstream, giver, clock, sent } = open(world);
    await Promise.all([upstream.embed(call), upstream.embed(call)]);
    await clock.advance(3_400_000);
    await upstream.embed(call);
    expect(giver.asked).toEqual([where]);
    await clock.advance(100_000);
    await upstream.embed(call);
    expect(giver.asked).toEqual([where, where]);
    expect(sent.at(-1)?.get("authorization")).toContain("fake-entra-token-2");
    expect(sent.at(-1)?.has("api-key")).toBe(false);
    expect(clock.sleeping()).toEqual([]);
  });

  test("after a refusal by Azure a new token is requested", async () => {
    const { upstream, giver } = open({ environment: platform });
    await upstream.embed(call);
    giver.revoke();
    expect((await failureOf(upstream.embed(call))).kind).toBe("unauthorized");
    await upstream.embed(call);
    expect(giver.asked).toHaveLength(2);
  });

  test("a token is used until it expires if no other is to be had", async () => {
    const { upstream, giver, clock } = open({ options: { ...app, client_secret: SECRET } });
    await upstream.embed(call);
    giver.isDown = true;
    await clock.advance(3_590_000);
    await upstream.embed(call);
    await clock.advance(10_000);
    expect((await failureOf(upstream.embed(call))).kind).toBe("unavailable");
  });

  test("a key or a token in the routing file overrides the environment", async () => {
    const { upstream, giver, sent } = open({ options: { api_key: AZURE_KEY }, environment: platform });
    await upstream.embed(call);
    expect(giver.asked).toEqual([]);
    expect(sent[0]?.get("api-key")).toBe(AZURE_KEY);
  });

  test("a caller that gives up waiting for a token does not cancel it for the others", async () => {
    const { upstream, giver } = open({ environment: platform });
    const impatient = new AbortController();
    const one = failureOf(upstream.embed({ ...call, signal: impatient.signal }));
    const other = upstream.embed(call);
    impatient.abort(new GatewayError("cancelled", "The client has gone."));
    await one;
    await other;
    expect(giver.asked).toHaveLength(1);
  });
});

describe("without a token, the failure says why and shows no secret:", () => {
  const NONE: readonly (readonly [string, World, string])[] = [
    ["a wrong secret", { options: { ...app, client_secret: "fake~wrong-secret-kq7Rr2" } }, "AADSTS7000215"],
    ["another tenant", { options: { ...app, tenant_id: "gone", client_secret: SECRET } }, "AADSTS90002"],
    ["no tenant", { options: { client_secret: SECRET } }, "AZURE_TENANT_ID"],
    ["a workload's token that is gone", { options: { ...app, federated_token_file: FILE } }, FILE],
    ["no file named", { options: { identity: "workload_identity" } }, "federated_token_file"],
    ["no secret named", { options: { identity: "client_secret" } }, "client_secret"],
    [
      "an identity that there is not",
      { options: { identity: "managed_identity", client_id: "other" } },
      "invalid_request",
    ],
  ];
  test.each(NONE)("%s", async (_, world, words) => {
    const { upstream, sent } = open(world);
    const failure = await failureOf(upstream.embed(call));
    expect(failure.kind).toBe("unauthorized");
    expect(failure.message).toContain(words);
    expect(failure.message).not.toMatch(/fake~|eyJ/);
    expect(sent).toEqual([]);
  });

  test("outside of Azure", async () => {
    const { upstream, giver } = open({ options: { identity: "managed_identity" } });
    giver.isDown = true;
    const failure = await failureOf(upstream.embed(call));
    expect(failure).toMatchObject({
      kind: "unauthorized",
      message: expect.stringContaining("managed identity"),
    });
  });
});
