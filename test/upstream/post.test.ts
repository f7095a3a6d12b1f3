/**
 * One POST to a provider: what each status means, when to come back, what is too large, what breaks.
 * A status or header that a provider uses differently is a row here; redact.test.ts has credentials in its messages.
 */
import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/domain/errors";
import type { PostCall } from "../../src/plugin";
import { post, retryAfterMs } from "../../src/upstream/post";
import { fakeOutside, STARTED_AT } from "../fake-outside";
import { failureOf } from "../plugins/conformance/subject";

const CALL: PostCall = {
  url: "https://api.example/v1/embeddings",
  headers: { authorization: "Bearer abcdefghij" },
  body: { input: ["a"] },
  signal: new AbortController().signal,
};

type Headed = NonNullable<RequestInit["headers"]>;

const postTo = (reply: (headers: Headed) => Response | Promise<Response>, call: Partial<PostCall> = {}) =>
  post({ ...CALL, ...call }, fakeOutside({ fetch: async (_, { headers = {} }) => reply(headers) }).outside);

test.each([
  ["?code=Zx81qLm4tT", "Zx81qLm4tT"],
  ["?a=1&api-key=hunter22&api-version=2024-10-21", "hunter22"],
  ["?token=a%2Fb%20c%2Bd%26e", "a/b c+d&e"],
  ["?key=first-secret&key=second-secret", "first-secret"],
])("what stands in the address, %s, is in no provider's words", async (query, secret) => {
  const url = `${CALL.url}${query}`;
  for (const said of [
    `POST ${url} failed`,
    `POST ${url}`,
    `what is ${secret}?`,
    JSON.stringify({ secret }),
  ]) {
    const { message } = await failureOf(postTo(() => new Response(said, { status: 400 }), { url }));
    expect(message).toContain("[redacted]");
    for (const part of [
      secret,
      new URLSearchParams({ "": secret }).toString().slice(1),
      encodeURIComponent(secret),
    ])
      expect(message).not.toContain(part);
  }
});

test("an API's version in the URL is not a secret", async () => {
  const url = `${CALL.url}?api-version=2024-10-21`;
  const said = "unknown version 2024-10-21";
  const { message } = await failureOf(postTo(() => new Response(said, { status: 400 }), { url }));
  expect(message).toBe(`The provider answered 400: ${said}`);
});

describe("status", () => {
  test.each([200, 201, 202])("%d is an answer, its bytes as they came", async (status) => {
    const posted = await postTo(() => new Response(Uint8Array.of(0, 255, 7), { status }));
    expect(posted.status).toBe(status);
    expect([...posted.bytes]).toEqual([0, 255, 7]);
  });

  test("every other status is a failure of a kind that says what to do about it", async () => {
    const kinds = new Map<string, number[]>();
    for (let status = 300; status < 600; status++) {
      const { kind } = await failureOf(postTo(() => new Response(null, { status })));
      kinds.set(kind, [...(kinds.get(kind) ?? []), status]);
    }
    expect(kinds.get("malformed")).toEqual(range(300, 400));
    expect(kinds.get("unauthorized")).toEqual([401, 402, 403]);
    expect(kinds.get("wrong_address")).toEqual([404, 405]);
    expect(kinds.get("overloaded")).toEqual([429]);
    expect(kinds.get("unavailable")).toEqual([408, 409, 425, ...range(500, 600)]);
    expect(kinds.get("invalid")).toHaveLength(100 - 3 - 1 - 1 - 3 - 1);
  });

  test("the plugin's explanation overrides the status; what it omits comes from the status", async () => {
    const explained = await failureOf(
      postTo(() => new Response("{}", { status: 400, headers: { "retry-after": "3" } }), {
        explain: ({ status }) => ({ kind: "too_many_tokens", message: `too much (${status})`, input: 4 }),
      }),
    );
    expect(explained).toMatchObject({ kind: "too_many_tokens", input: 4, retryAfterMs: 3000 });
    expect(explained.message).toBe("The provider answered 400: too much (400)");
    const unexplained = await failureOf(
      postTo(() => new Response("plain words", { status: 400 }), { explain: () => undefined }),
    );
    expect(unexplained.message).toBe("The provider answered 400: plain words");
    expect(unexplained.kind).toBe("invalid");
  });
});

const range = (from: number, end: number) => Array.from({ length: end - from }, (_, i) => from + i);

describe("when to come back", () => {
  const FORMS: readonly (readonly [Record<string, string>, number | undefined])[] = [
    [{}, undefined],
    [{ "retry-after": "0" }, 0],
    [{ "retry-after": "1.5" }, 1500],
    [{ "retry-after": "86400" }, 86_400_000],
    [{ "retry-after": new Date(STARTED_AT + 5000).toUTCString() }, 5000],
    [{ "retry-after": new Date(STARTED_AT - 5000).toUTCString() }, 0],
    [{ "retry-after-ms": "1500" }, 1500],
    [{ "retry-after-ms": "12.5" }, 12.5],
    [{ "retry-after-ms": "soon", "retry-after": "2" }, 2000],
    [{ "retry-after": "soon" }, undefined],
    [{ "retry-after": "" }, undefined],
    [{ "retry-after": "20ms" }, undefined],
    [{ "retry-after": "-5" }, undefined],
    [{ "retry-after-ms": "-5" }, undefined],
    [{ "retry-after": "Infinity" }, undefined],
  ];
  test.each(FORMS)("%j is understood as %p ms", (headers, ms) => {
    expect(retryAfterMs(new Headers(headers), STARTED_AT)).toBe(ms);
  });
});

describe("the request", () => {
  test("is JSON, has one content type whatever headers are added, and is never redirected", async () => {
    const sent: RequestInit[] = [];
    const { outside } = fakeOutside({
      fetch: async (_, init) => {
        sent.push(init);
        return new Response("{}");
      },
    });
    await post({ ...CALL, headers: { "Content-Type": "text/plain", "X-Team": "search" } }, outside);
    expect(new Headers(sent[0]?.headers).get("content-type")).toBe("application/json");
    expect(new Headers(sent[0]?.headers).get("x-team")).toBe("search");
    expect(sent[0]).toMatchObject({ method: "POST", body: '{"input":["a"]}', redirect: "manual" });
  });

  test("a signal's own reason reaches the caller", async () => {
    const late = new GatewayError("timeout", "too late");
    const controller = new AbortController();
    const work = postTo(
      () => {
        controller.abort(late);
        return Promise.reject(new DOMException("The operation was aborted.", "AbortError"));
      },
      { signal: controller.signal },
    );
    expect(await failureOf(work)).toBe(late);
  });

  test("a broken connection is 'unavailable' and names the system's error code", async () => {
    const reset = Object.assign(new Error("closed"), { code: "ECONNRESET" });
    const failure = await failureOf(postTo(() => Promise.reject(reset)));
    expect(failure.kind).toBe("unavailable");
    expect(failure.message).toContain("ECONNRESET");
    expect(failure.cause).toBe(reset);
  });

  test("a header that HTTP cannot carry is a failure whose message does not repeat it", async () => {
    const failure = await failureOf(
      // As the network does.
      postTo((headers) => new Response("{}", { headers }), { headers: { "x-key": "line\nbreak" } }),
    );
    expect(failure.message).not.toContain("break");
  });
});

describe("a reply that is too large", () => {
  const MEBIBYTE = new Uint8Array(1024 * 1024);

  test("is refused by its content-length before it is read", async () => {
    let cancelled = false;
    const body = new ReadableStream({
      cancel() {
        cancelled = true;
      },
    });
    const headers = { "content-length": String(257 * 1024 * 1024) };
    const failure = await failureOf(postTo(() => new Response(body, { headers })));
    expect(failure.kind).toBe("malformed");
    expect(failure.message).toContain("too large");
    expect(cancelled).toBe(true);
  });

  test("is refused where it exceeds the limit if it has no length", async () => {
    let mebibytes = 0;
    let cancelled = false;
    const body = new ReadableStream({
      pull(controller) {
        mebibytes += 1;
        // It does end, so that a gateway without a limit fails this test instead of running out of memory.
        if (mebibytes > 300) controller.close();
        else controller.enqueue(MEBIBYTE);
      },
      cancel() {
        cancelled = true;
      },
    });
    const failure = await failureOf(postTo(() => new Response(body)));
    expect(failure.kind).toBe("malformed");
    expect(failure.message).toContain("too large");
    expect(mebibytes).toBeLessThan(260);
    expect(cancelled).toBe(true);
  });

  test("one in many pieces below the limit is put together in order", async () => {
    let piece = 0;
    const body = new ReadableStream({
      pull(controller) {
        piece += 1;
        if (piece > 9) controller.close();
        else controller.enqueue(Uint8Array.of(piece, piece));
      },
    });
    const { bytes } = await postTo(() => new Response(body));
    expect([...bytes]).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9]);
  });
});
