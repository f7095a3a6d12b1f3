/**
 * Every way in which an upstream or the network can fail, and the kind of error that the gateway must get.
 * A new way is a row of REFUSALS or of `broken`; a plugin's own test has its vendor's special errors.
 */
import type { FailureKind } from "../plugin";
import { proveReply } from "./answers";
import type { Bench, Check } from "./bench";
import { demand } from "./breach";
import { type Answer, brokenOff, connectionReset } from "./network";
import { reversed, SPOILINGS } from "./spoil";
import { type Answering, callFor, failureOf } from "./subject";

const REFUSALS: readonly (readonly [status: number, kind: FailureKind])[] = [
  [400, "invalid"],
  [401, "unauthorized"],
  [402, "unauthorized"],
  [403, "unauthorized"],
  [404, "not_found"],
  [408, "unavailable"],
  [409, "unavailable"],
  [413, "invalid"],
  [422, "invalid"],
  [425, "unavailable"],
  [429, "overloaded"],
  [500, "unavailable"],
  [502, "unavailable"],
  [503, "unavailable"],
  [504, "unavailable"],
  [529, "unavailable"],
];

/** An API says which model it does not have; a server that says nothing has no such path. */
const WORDLESS_404: FailureKind = "wrong_address";

type RetryAfter = readonly [of: string, headers: (now: number) => Record<string, string>, ms: number];
const RETRY_AFTER: readonly RetryAfter[] = [
  ["seconds", () => ({ "retry-after": "7" }), 7_000],
  ["a date", (now) => ({ "retry-after": new Date(now + 30_000).toUTCString() }), 30_000],
  ["a date in the past", (now) => ({ "retry-after": new Date(now - 30_000).toUTCString() }), 0],
  ["milliseconds", () => ({ "retry-after-ms": "250", "retry-after": "1" }), 250],
];
/** A date has whole seconds, and a live clock advances while a check runs. */
const RETRY_AFTER_DOUBT_MS = 2_000;

const PAGE = "<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>";
const WORDS = "The vendor does not like this one.";
const json = (body: string) => new Response(body, { headers: { "content-type": "application/json" } });

/** For an unknown envelope: the message is in every place where vendors were seen to put it. */
const anyEnvelope = (message: string) => JSON.stringify({ error: { message }, message, detail: message });

export function failsRight(bench: Bench, vendor: Answering): Check[] {
  const { subject, open, fitting, soundReply } = bench;
  const errorBody = vendor.errorBody ?? anyEnvelope;
  const texts = () => fitting(["one", "two"]);

  const failureAfter = async (answer: Answer) => {
    const { upstream, network } = open();
    network.answer(answer);
    const failure = await failureOf(upstream.embed(callFor(subject, texts())));
    // If something is missing at one URL, the plugin may try another.
    const addresses = new Set(network.requests.map(({ url }) => url));
    demand(
      network.requests.length > 0 && network.requests.length === addresses.size,
      `It sent ${network.requests.length} requests: send one. The gateway retries.`,
    );
    return failure;
  };
  const demandKind = (failure: { kind: string; message: string }, kind: FailureKind) =>
    demand(
      failure.kind === kind,
      `The error kind is '${failure.kind}', expected '${kind}': leave the status to host.post, and use \`explain\` only where the vendor means something else. Its message: ${failure.message.slice(0, 200)}`,
    );

  const refusals = REFUSALS.flatMap(([status, kind]): Check[] => [
    {
      name: "an HTTP error becomes the right error kind, keeps the vendor's message, and is not retried by the plugin",
      of: `${status} is '${kind}'`,
      async run() {
        const failure = await failureAfter(() => new Response(errorBody(WORDS), { status }));
        demandKind(failure, kind);
        for (const words of [WORDS, String(status)])
          demand(failure.message.includes(words), `Its message lacks "${words}": ${failure.message}`);
      },
    },
    {
      name: "an HTTP error with an HTML body becomes the right error kind",
      of: `${status} is '${kind}'`,
      run: async () => demandKind(await failureAfter(() => new Response(PAGE, { status })), kind),
    },
    {
      name: "an HTTP error with an empty body becomes the right error kind",
      of: `${status} is '${status === 404 ? WORDLESS_404 : kind}'`,
      run: async () =>
        demandKind(
          await failureAfter(() => new Response("", { status })),
          status === 404 ? WORDLESS_404 : kind,
        ),
    },
  ]);

  const comingBack = RETRY_AFTER.flatMap(([of, headers, ms]) =>
    [429, 503].map(
      (status): Check => ({
        name: "Retry-After is passed on in milliseconds",
        of: `${of}, with ${status}`,
        async run() {
          const answer = () => new Response(errorBody("Later."), { status, headers: headers(bench.now()) });
          const { retryAfterMs = Number.NaN } = await failureAfter(answer);
          const doubt = ms > 10_000 ? RETRY_AFTER_DOUBT_MS : 0;
          demand(
            Math.abs(retryAfterMs - ms) <= doubt,
            `retryAfterMs is ${retryAfterMs}, expected ${ms}: leave it to host.post.`,
          );
        },
      }),
    ),
  );

  const halfOf = async () => {
    const body = await (await soundReply(texts()))().text();
    return body.slice(0, Math.min(40, Math.floor(body.length / 2)));
  };
  const broken: readonly (readonly [string, FailureKind, () => Answer | Promise<Answer>, asks?: boolean])[] =
    [
      ["a connection that breaks", "unavailable", () => connectionReset],
      [
        "a connection that breaks in the middle of the reply",
        "unavailable",
        async () => {
          const start = await halfOf();
          return () => brokenOff(start);
        },
        true,
      ],
      [
        "half a reply",
        "malformed",
        async () => {
          const start = await halfOf();
          return () => json(start);
        },
        true,
      ],
      [
        "an HTML page with 200",
        "malformed",
        () => () => new Response(PAGE, { headers: { "content-type": "text/html" } }),
      ],
      ["an empty body", "malformed", () => () => json("")],
      ["null", "malformed", () => () => json("null")],
      ["a number", "malformed", () => () => json("42")],
      ["an empty object", "malformed", () => () => json("{}")],
      ["bytes that are not UTF-8", "malformed", () => () => new Response(Uint8Array.of(0x7b, 0xff, 0xfe))],
      ["an error body with 200", "malformed", () => () => json(errorBody("It broke inside."))],
    ];
  return [
    ...refusals,
    ...comingBack,
    ...broken.map(
      ([of, kind, answer, asks = false]): Check => ({
        name: "a broken reply becomes the right error kind",
        of: `${of} is '${kind}'`,
        asks,
        run: async () => demandKind(await failureAfter(await answer()), kind),
      }),
    ),
    {
      name: "a redirect is not followed",
      async run() {
        const headers = { location: "https://elsewhere.example/v1" };
        demandKind(await failureAfter(() => new Response(null, { status: 307, headers })), "malformed");
      },
    },
    // The plugin may refuse these or leave it to the gateway's check: no vector may result from them.
    ...Object.entries(SPOILINGS).map(
      ([of, spoil]): Check => ({
        name: "a reply with wrong vectors is refused",
        of,
        asks: true,
        async run() {
          const { upstream, network } = open();
          const body = spoil(await (await soundReply(texts()))().text(), texts().length);
          if (body === undefined) {
            demand(!vendor.replyBody || texts().length < 2, "No vectors were found in a valid reply.");
            return "no list of 8 numbers or more, and no base64, is found in its reply";
          }
          network.answer(() => json(body));
          const failure = await failureOf(
            upstream
              .embed(callFor(subject, texts()))
              .then((reply) => proveReply(subject, reply, texts(), upstream)),
          );
          // All zeros for one text may be the model's own result.
          if (failure.kind !== "no_vector") demandKind(failure, "malformed");
          return undefined;
        },
      }),
    ),
    {
      name: "a reply in another order is sorted by its indices",
      skipped: vendor.indexed === false ? "the API has no index" : undefined,
      asks: true,
      async run() {
        const { upstream, network } = open();
        const sound = await soundReply(texts());
        const body = reversed(await sound().text(), texts().length);
        if (body === undefined) {
          demand(!vendor.indexed || texts().length < 2, "The reply has no index, though this API has one.");
          return "no member of its reply is an index: right if the API has none";
        }
        network.answer(sound);
        const right = proveReply(subject, await upstream.embed(callFor(subject, texts())), texts(), upstream);
        network.answer(() => json(body));
        const put = proveReply(subject, await upstream.embed(callFor(subject, texts())), texts(), upstream);
        demand(
          Bun.deepEquals(put, right),
          "Its reply gives each vector an index; it must return that index, not the place in the list.",
        );
        return undefined;
      },
    },
  ];
}
