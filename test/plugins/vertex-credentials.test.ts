/**
 * Sources of the vertex plugin's tokens: every place where Google's own tools look, with their library as the oracle for the requests.
 * A further source is a row of SOURCES.
 */
import { describe, expect, test } from "bun:test";
import { JWT } from "google-auth-library";
import vertex from "../../plugins/vertex";
import { callFor, failureOf } from "../../src/conformance/subject";
import type { Outside } from "../../src/domain/outside";
import { createHost } from "../../src/upstream/host";
import { fakeOutside, STARTED_AT } from "../fake-outside";
import { PERSON, SERVICE_ACCOUNT, type TokenGiver, tokenGiver } from "./vendors/google-tokens";
import { PROJECT, VERTEX_TOKEN, vertexVendor } from "./vendors/vertex";

const model = "text-embedding-005";
const SECRETS = [SERVICE_ACCOUNT.private_key, PERSON.client_secret, PERSON.refresh_token];

interface World {
  readonly options?: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** Answers in front of the fake Google. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response> | undefined;
}

function open({ options = {}, environment = {}, files = {}, fetch }: World) {
  const clock = fakeOutside();
  const giver = tokenGiver(() => clock.outside.now());
  const { fetch: embedding } = vertexVendor(model, (token) => token === VERTEX_TOKEN || giver.isToken(token));
  const embeddings: RequestInit[] = [];
  const outside: Outside = {
    ...clock.outside,
    environment,
    readFile: async (path) => files[path],
    fetch: async (url, init) => {
      const own = fetch?.(url, init);
      if (own) return own;
      if (!url.includes("aiplatform")) return giver.fetch(url, init);
      embeddings.push(init);
      return embedding(url, init);
    },
  };
  const upstream = vertex(createHost(outside)).open({ location: "us-central1", ...options });
  const ask = (signal?: AbortSignal) => upstream.embed(callFor({ model }, ["a text"], signal && { signal }));
  return { ask, giver, clock, embeddings };
}

const json = JSON.stringify(SERVICE_ACCOUNT);
const ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/token";
const METADATA = [TOKEN_PATH, "/computeMetadata/v1/project/project-id"];
const person = JSON.stringify(PERSON);
const LOGIN = "/users/ann/.config/gcloud/application_default_credentials.json";

const SOURCES: readonly (readonly [string, World, readonly string[]])[] = [
  ["a token of the routing file", { options: { access_token: VERTEX_TOKEN, project: PROJECT } }, []],
  ["a service account's JSON there", { options: { credentials: json } }, [ASSERTION]],
  ["its path there", { options: { credentials: "key.json" }, files: { "key.json": json } }, [ASSERTION]],
  [
    "its path in the environment",
    { environment: { GOOGLE_APPLICATION_CREDENTIALS: "/run/key.json" }, files: { "/run/key.json": json } },
    [ASSERTION],
  ],
  [
    "a person's login with gcloud",
    { environment: { HOME: "/users/ann", GOOGLE_CLOUD_PROJECT: PROJECT }, files: { [LOGIN]: person } },
    ["refresh_token"],
  ],
  ["the machine's metadata server", {}, METADATA],
];

describe("a token comes from", () => {
  test.each(SOURCES)("%s", async (_, world, asked) => {
    const { ask, giver, clock } = open(world);
    const reply = await clock.until(ask());
    expect(reply.vectors).toHaveLength(1);
    expect(giver.asked).toEqual([...asked]);
    expect(clock.sleeping()).toEqual([]);
  });

  test("a user's own login names the billed project", async () => {
    const [, world] = SOURCES[4] ?? [];
    const { ask, clock, embeddings } = open(world ?? {});
    await clock.until(ask());
    expect(new Headers(embeddings[0]?.headers).get("x-goog-user-project")).toBe("payer-1");
  });

  test("an assertion that equals that of Google's library", async () => {
    const { ask, giver, clock } = open({ options: { credentials: json } });
    await clock.until(ask());
    const theirs: TokenGiver = tokenGiver(Date.now);
    await new JWT({
      email: SERVICE_ACCOUNT.client_email,
      key: SERVICE_ACCOUNT.private_key,
      scopes: ["https://www.googleapis.com/auth/cloud-platform"],
      transporterOptions: {
        fetchImplementation: Object.assign(
          async (input: RequestInfo | URL, init?: RequestInit) => {
            const { url, method, headers, body } = new Request(String(input), init);
            return theirs.fetch(url, { method, headers, body: await new Response(body).text() });
          },
          { preconnect: () => undefined },
        ),
      },
    }).getAccessToken();
    const [right] = theirs.assertions;
    const { claims } = Object(right);
    const iat = STARTED_AT / 1000;
    expect(giver.assertions).toEqual([
      {
        header: { alg: "RS256", typ: "JWT", kid: SERVICE_ACCOUNT.private_key_id },
        claims: { ...claims, iat, exp: iat + claims.exp - claims.iat },
      },
    ]);
  });
});

describe("a token is", () => {
  test("requested once for all that wait, kept for its life, and renewed before it expires", async () => {
    const { ask, giver, clock } = open({ options: { credentials: json } });
    await clock.until(Promise.all([ask(), ask(), ask()]));
    await clock.advance(56 * 60_000);
    await clock.until(ask());
    expect(giver.asked).toEqual([ASSERTION]);
    await clock.advance(2 * 60_000);
    await clock.until(ask());
    expect(giver.asked).toEqual([ASSERTION, ASSERTION]);
  });

  test("used until it expires while no other can be had", async () => {
    let isDown = false;
    const fetch = (url: string) =>
      isDown && !url.includes("aiplatform")
        ? Promise.resolve(new Response("down", { status: 503 }))
        : undefined;
    const { ask, clock } = open({ options: { credentials: json }, fetch });
    await clock.until(ask());
    isDown = true;
    await clock.advance(58 * 60_000);
    expect((await clock.until(ask())).vectors).toHaveLength(1);
    await clock.advance(2 * 60_000);
    expect(await failureOf(clock.until(ask()))).toMatchObject({ kind: "unavailable" });
  });

  test("requested again once Google has refused it", async () => {
    const { ask, giver, clock } = open({ options: { credentials: json } });
    await clock.until(ask());
    giver.revoke();
    expect(await failureOf(clock.until(ask()))).toMatchObject({ kind: "unauthorized" });
    expect((await clock.until(ask())).vectors).toHaveLength(1);
    expect(giver.asked).toHaveLength(2);
  });

  test("no longer waited for by callers who have left, and still delivered to the others", async () => {
    let answer = () => {};
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const { ask, giver, clock } = open({
      options: { credentials: json },
      fetch: (url, init) => (url.includes("oauth2") ? held.then(() => giver.fetch(url, init)) : undefined),
    });
    const controller = new AbortController();
    const gone = new Error("the client has gone");
    const first = ask(controller.signal);
    const second = ask();
    controller.abort(gone);
    await expect(first).rejects.toBe(gone);
    answer();
    expect((await clock.until(second)).vectors).toHaveLength(1);
  });
});

describe("without a token", () => {
  const other = { ...SERVICE_ACCOUNT, type: "external_account" };
  const cut = { ...SERVICE_ACCOUNT, private_key: SERVICE_ACCOUNT.private_key.slice(0, 400) };
  const stranger = { ...SERVICE_ACCOUNT, client_email: "stranger@shop-4711.iam.gserviceaccount.com" };
  const nobody = () => Promise.reject(Object.assign(new Error("refused"), { code: "ConnectionRefused" }));
  const WITHOUT: readonly (readonly [string, World, string])[] = [
    ["a file that is not there", { options: { credentials: "gone.json" } }, "cannot be read"],
    ["a file that is no key's", { options: { credentials: "{}" } }, "neither a service account's JSON"],
    ["a file that is no JSON", { options: { credentials: "{" } }, "neither a service account's JSON"],
    [
      "another kind of account",
      { options: { credentials: JSON.stringify(other) } },
      "neither a service account's",
    ],
    ["half a private key", { options: { credentials: JSON.stringify(cut) } }, "PKCS #8"],
    [
      "an account that Google does not know",
      { options: { credentials: JSON.stringify(stranger) } },
      "(invalid_grant)",
    ],
    ["nothing at all, elsewhere than on Google's machines", { fetch: nobody }, "no Google metadata server"],
    ["a project", { options: { access_token: VERTEX_TOKEN } }, "name no project"],
  ];
  test.each(WITHOUT)(
    "%s: it is the operator's problem, reported without a secret",
    async (_, world, words) => {
      const { ask, clock, embeddings } = open(world);
      const failure = await failureOf(clock.until(ask()));
      expect(failure).toMatchObject({ kind: "unauthorized" });
      expect(failure.message).toContain(words);
      const told = `${failure.message} ${String(failure.cause)}`;
      for (const secret of SECRETS) expect(told).not.toContain(secret.slice(30, 60) || secret);
      expect(told).not.toMatch(/eyJ/);
      expect(embeddings).toEqual([]);
    },
  );

  test("a metadata server that never answers is given up after two seconds", async () => {
    const { ask, clock } = open({ fetch: (_, init) => silence(init.signal) });
    const failure = failureOf(ask());
    await clock.advance(2_000);
    expect(await failure).toMatchObject({ kind: "unauthorized" });
  });

  test("a token endpoint that repeats what it was sent is not quoted", async () => {
    const { ask, clock } = open({
      options: { credentials: json },
      fetch: (url, init) =>
        url.includes("oauth2")
          ? Promise.resolve(new Response(String(init.body), { status: 400 }))
          : undefined,
    });
    const { message, cause } = await failureOf(clock.until(ask()));
    expect(`${message} ${String(cause)}`).not.toMatch(/eyJ|assertion/);
  });
});

function silence(signal: RequestInit["signal"]): Promise<Response> {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
}
