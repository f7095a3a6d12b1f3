/**
 * The bedrock plugin's location: its region, and the role of its machine, with a metadata service as strict as EC2's.
 */
import { describe, expect, test } from "bun:test";
import { failureOf } from "../../../src/conformance/subject";
import type { Outside } from "../../../src/domain/outside";
import { STARTED_AT } from "../../fake-outside";
import { AWS_KEYS, ROLE_KEYS } from "../vendors/bedrock-signature";
import { call, keyOf, open } from "./world";

describe("the region", () => {
  const signing = { access_key_id: AWS_KEYS.accessKeyId, secret_access_key: AWS_KEYS.secretAccessKey };
  const ENDPOINT = "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com";
  const REGIONS: readonly (readonly [string, object, Record<string, string>, string, string])[] = [
    [
      "the routing file's",
      { region: "eu-west-1" },
      { AWS_REGION: "us-west-2" },
      "bedrock-runtime.eu-west-1.amazonaws.com",
      "eu-west-1",
    ],
    [
      "the environment's",
      {},
      { AWS_REGION: "us-west-2", AWS_DEFAULT_REGION: "eu-west-1" },
      "bedrock-runtime.us-west-2.amazonaws.com",
      "us-west-2",
    ],
    [
      "the environment's default",
      {},
      { AWS_DEFAULT_REGION: "eu-west-1" },
      "bedrock-runtime.eu-west-1.amazonaws.com",
      "eu-west-1",
    ],
    [
      "the address's",
      { base_url: ENDPOINT },
      { AWS_REGION: "us-west-2" },
      "bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
      "us-gov-west-1",
    ],
    [
      "the routing file's, at another address",
      { base_url: "https://vpce-1.example", region: "eu-west-1" },
      {},
      "vpce-1.example",
      "eu-west-1",
    ],
  ];
  test.each(REGIONS)("is %s", async (_, options, environment, host, region) => {
    const { upstream, sent } = open({
      options: { ...signing, region: undefined, ...options },
      environment,
      model: async () => Response.json({ embedding: [1] }),
    });
    await upstream.embed(call);
    expect(new URL(sent[0]?.url ?? "").hostname).toBe(host);
    expect(sent[0]?.headers.get("authorization")).toContain(`/20270115/${region}/bedrock/aws4_request`);
  });

  test("is required, except for an API key at a URL of its own", async () => {
    const nowhere = open({ options: { ...signing, region: undefined } });
    const failure = await failureOf(nowhere.upstream.embed(call));
    expect(failure).toMatchObject({
      kind: "unauthorized",
      message: expect.stringContaining("No AWS region"),
    });
    const { upstream, sent } = open({
      options: { api_key: "k", base_url: "https://proxy.example", region: undefined },
      model: async () => Response.json({ embedding: [1] }),
    });
    await upstream.embed(call);
    expect(sent).toHaveLength(1);
  });
});

describe("the machine's role", () => {
  /** As strict as EC2: version 2 only, so without a token there is no answer. */
  function instance(lifetimeMs: number) {
    const state = { asked: 0, works: true, now: () => STARTED_AT };
    const refused = (status: number) => new Response("", { status });
    const fetch: Outside["fetch"] = async (url, { method, headers: given, body }) => {
      const headers = new Headers(given);
      if (!state.works) throw new TypeError("no route to host");
      if (body !== undefined) return refused(400);
      const { pathname } = new URL(url);
      if (pathname === "/latest/api/token") {
        const seconds = Number(headers.get("x-aws-ec2-metadata-token-ttl-seconds"));
        return method === "PUT" && seconds > 0 && seconds <= 21_600
          ? new Response("TOKEN-2==")
          : refused(400);
      }
      if (method !== "GET" || headers.get("x-aws-ec2-metadata-token") !== "TOKEN-2==") return refused(401);
      const folder = "/latest/meta-data/iam/security-credentials/";
      if (pathname === folder) return new Response("embedder/one\n");
      if (pathname !== `${folder}embedder%2Fone`) return refused(404);
      state.asked += 1;
      return Response.json({
        Code: "Success",
        AccessKeyId: ROLE_KEYS.accessKeyId,
        SecretAccessKey: ROLE_KEYS.secretAccessKey,
        Token: ROLE_KEYS.sessionToken,
        Expiration: new Date(state.now() + lifetimeMs).toISOString().replace(".000", ""),
      });
    };
    return { state, fetch };
  }

  test("signs, is requested once for simultaneous calls, and again five minutes before it expires", async () => {
    const role = instance(3_600_000);
    const { upstream, sent, clock } = open({ metadata: role.fetch });
    role.state.now = clock.outside.now;
    await Promise.all([upstream.embed(call), upstream.embed(call), upstream.embed(call)]);
    await clock.advance(3_299_000);
    await upstream.embed(call);
    expect(role.state.asked).toBe(1);
    await clock.advance(2_000);
    await upstream.embed(call);
    expect(role.state.asked).toBe(2);
    expect(sent.map(keyOf)).toEqual(new Array(5).fill(ROLE_KEYS.accessKeyId));
    expect(sent[0]?.headers.get("x-amz-security-token")).toBe(ROLE_KEYS.sessionToken);
    expect(clock.sleeping()).toEqual([]);
  });

  test("is used until it expires if no other is to be had, and not longer", async () => {
    const role = instance(3_600_000);
    const { upstream, clock } = open({ metadata: role.fetch });
    await upstream.embed(call);
    role.state.works = false;
    await clock.advance(3_599_000);
    await upstream.embed(call);
    await clock.advance(2_000);
    expect((await failureOf(upstream.embed(call))).kind).toBe("unauthorized");
  });

  test("a metadata service that never answers is not waited for", async () => {
    const { upstream, clock } = open({
      metadata: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason));
        }),
    });
    const failed = failureOf(upstream.embed(call));
    await clock.advance(2_000);
    expect((await failed).kind).toBe("unauthorized");
  });

  test.each([
    '{"AccessKeyId":"ASIAQ7FAKE9EXAMPLE2K","SecretAccessKey":"8xKqFakeRole',
    '{"SecretAccessKey":"8xKqFakeRoleSecretUtnFEMI"}',
    "<html>8xKqFakeRoleSecretUtnFEMI</html>",
  ])("a broken answer of it tells nobody what it holds: %s", async (text) => {
    const role = instance(1);
    const { upstream } = open({
      metadata: async (url, init) =>
        url.endsWith("embedder%2Fone") ? new Response(text) : role.fetch(url, init),
    });
    const failure = await failureOf(upstream.embed(call));
    expect(failure.kind).toBe("unauthorized");
    expect(failure.message).not.toMatch(/8xKq|ASIA/);
  });
});
