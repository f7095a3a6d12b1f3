/**
 * Keys leave the process only in headers, and are never returned, even if a vendor repeats them in its errors.
 * A new way in which a vendor has been seen to repeat a key is a row of ECHOES.
 */
import type { Bench, Check } from "./bench";
import { demand } from "./breach";
import type { Answer, SentRequest } from "./network";
import { type Answering, callFor, failureOf } from "./subject";

export function keepsSecrets(bench: Bench, vendor: Answering): Check[] {
  const { subject, open } = bench;
  const secrets = subject.secrets ?? [];
  const errorBody = vendor.errorBody ?? ((message: string) => JSON.stringify({ error: { message } }));
  const skipped =
    secrets.length === 0
      ? "no option holds a secret of 8 characters or more: pass one, such as --option token=… or --option-env token=VARIABLE"
      : undefined;

  /** Never shows what it found: the message goes to a terminal, and from there into an issue. */
  const demandNone = (text: string, what: string, characters?: number) => {
    for (const secret of secrets)
      demand(
        !text.includes(secret.slice(0, characters)),
        `${what} holds ${characters === undefined ? "a secret" : "a part of a secret"} of the options: send secrets in headers only.`,
      );
  };

  /** Everything that the vendor was sent in headers, at positions where the end of a snippet may cut it in two. */
  const echo = ({ headers }: SentRequest, before = 0) =>
    `${"x".repeat(before)} you sent ${JSON.stringify(Object.fromEntries(headers))}, also ${[...headers.values()].join(" ; ")}`;
  const page = (text: string, status: number) => new Response(`<html>${text}</html>`, { status });
  const ECHOES: readonly (readonly [string, Answer])[] = [
    ["its own error format with 401", (sent) => new Response(errorBody(echo(sent)), { status: 401 })],
    ["its own error format with 429", (sent) => new Response(errorBody(echo(sent)), { status: 429 })],
    ["a page with 403", (sent) => page(echo(sent), 403)],
    ["a page with 502", (sent) => page(echo(sent), 502)],
    ["an HTML page with 200", (sent) => page(echo(sent), 200)],
    [
      "a reply of a wrong type",
      (sent) => new Response(JSON.stringify(sent.headers.get("authorization") ?? echo(sent))),
    ],
    ["half a reply with 200", (sent) => new Response(`{"data": "${echo(sent)}`)],
  ];

  return [
    {
      name: "secrets are sent in headers only",
      async run() {
        const { upstream, network } = open();
        network.answer(() => new Response("{}", { status: 503 }));
        await failureOf(upstream.embed(callFor(subject, ["a text"])));
        const [request] = network.requests;
        demand(request !== undefined, "It sent nothing.");
        demandNone(request.url, "The URL that it calls");
        demandNone(request.body, "The request body");
        demand(
          !/[?&](key|token|secret|api_key)=/i.test(request.url),
          "The URL that it calls holds a key: send it in a header.",
        );
        demand(new URL(request.url).username === "", "The URL that it calls holds a user name.");
      },
    },
    ...ECHOES.map(
      ([of, answer]): Check => ({
        name: "secrets are removed when the vendor's error echoes the request headers",
        of,
        skipped,
        async run() {
          const { upstream, network } = open();
          network.answer(answer);
          const { message } = await failureOf(upstream.embed(callFor(subject, ["a text"])));
          demandNone(message, "The error message");
        },
      }),
    ),
    {
      name: "no part of a secret is left where a long error is cut",
      skipped,
      async run() {
        const { upstream, network } = open();
        for (let before = 0; before < 320; before += 5) {
          for (const status of [200, 500]) {
            network.answer((sent) => page(echo(sent, before), status));
            const { message } = await failureOf(upstream.embed(callFor(subject, ["a text"])));
            demandNone(message, "The error message", 8);
          }
        }
      },
    },
  ];
}
