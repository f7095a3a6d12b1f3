/**
 * What a plugin sends: one request per call, to the right URL, with the caller's `extra_body` overridden by its own fields.
 * A plugin's own test has what only its vendor's API requires.
 */
import { catalogueFacts } from "../config/catalogue";
import { taskNamed } from "../domain/task-words";
import type { Bench, Check } from "./bench";
import { demand } from "./breach";
import { callFor, failureOf } from "./subject";

const TEXT = "what was asked";

export function sendsRight(bench: Bench): Check[] {
  const { subject, open, fitting, soundReply } = bench;
  return [
    {
      name: "one embed() call sends one JSON POST",
      asks: true,
      async run() {
        const { upstream, network } = open();
        await upstream.embed(callFor(subject, fitting(["one", "two", "three"])));
        const [request] = network.requests;
        demand(
          network.requests.length === 1,
          `One embed() call sent ${network.requests.length} requests: send one. The gateway splits and retries.`,
        );
        demand(request?.method === "POST", `It sent a ${request?.method}, expected a POST: use host.post.`);
        const type = request.headers.get("content-type") ?? "";
        demand(
          /^application\/json\b/.test(type),
          `Its content-type is "${type}": it must be application/json.`,
        );
        demand(bodyOf(request.body) !== undefined, "The body that it sends is not a JSON object.");
      },
    },
    {
      name: "extra_body is merged into the body and overrides nothing the plugin sets",
      asks: true,
      async run() {
        const { upstream, network } = open();
        // The upstream need not know the extra field: only what was sent is checked.
        network.answer(await soundReply([TEXT]));
        await upstream.embed(callFor(subject, [TEXT]));
        const plain = bodyOf(network.requests[0]?.body ?? "") ?? {};
        const hostile = Object.fromEntries(Object.keys(plain).map((key) => [key, "not the caller's to set"]));
        const extra = { deep: [1] };
        await upstream.embed(callFor(subject, [TEXT], { extraBody: { ...hostile, an_extra_field: extra } }));
        const sent = bodyOf(network.requests[1]?.body ?? "") ?? {};
        demand(
          Bun.deepEquals(sent.an_extra_field, extra),
          "A field of call.extraBody did not reach the body: spread it first, { ...call.extraBody, model: … }.",
        );
        const changed = Object.keys(plain).find((key) => !Bun.deepEquals(plain[key], sent[key]));
        demand(
          changed === undefined,
          `call.extraBody replaced '${changed}', which the plugin itself sets: spread it first, { ...call.extraBody, model: … }.`,
        );
      },
    },
    {
      name: "each task word is sent, and accepted by the upstream",
      asks: true,
      async run() {
        const { provider, upstream, network } = open();
        const facts = catalogueFacts(provider.id, subject.model) ?? upstream.describe?.(subject.model);
        const told = facts?.task_types?.map(taskNamed);
        const words = Object.entries(provider.tasks?.words ?? {}).flatMap(([task, word]) =>
          told && !told.some((one) => one === task) ? [] : [word],
        );
        const bodies = new Map<string, string | undefined>();
        for (const task of [...new Set(words), undefined]) {
          const { vectors } = await upstream.embed(callFor(subject, ["a text"], { task }));
          const what = `With the task "${task}", it`;
          demand(vectors.length === 1, `${what} returned ${vectors.length} vectors for 1 input.`);
          const body = network.requests.at(-1)?.body ?? "";
          // An API that requires a task gets a default one if the request names none.
          const sentBefore = bodies.has(body) && (task !== undefined || bodies.size === 1);
          demand(
            !sentBefore,
            `${what} sent the same body as before: send call.task, the plugin's own word for the task.`,
          );
          bodies.set(body, task);
        }
      },
    },
    ...(subject.addresses ?? []).map(
      ([options, url]): Check => ({
        name: "it calls the right URL",
        of: `with ${JSON.stringify(options)} it asks ${url}`,
        async run() {
          const { upstream, network } = open(options);
          network.answer(await soundReply(["a text"]));
          await upstream.embed(callFor(subject, ["a text"]));
          const asked = network.requests.map((request) => request.url).join();
          demand(asked === url, `It called ${asked}.`);
        },
      }),
    ),
    {
      name: "aborting the signal ends the call",
      async run() {
        const { upstream, network } = open();
        network.answer(() => new Promise(() => undefined));
        const controller = new AbortController();
        const call = upstream.embed(callFor(subject, ["waits"], { signal: controller.signal }));
        let ended = false;
        const end = () => {
          ended = true;
        };
        call.then(end, end);
        await turns(() => network.requests.length > 0);
        await turns();
        demand(network.requests.length === 1, "It sent nothing.");
        demand(!ended, "It ended before the upstream replied.");
        const gone = new Error("the time is over");
        controller.abort(gone);
        await turns();
        demand(ended, "It continues after its signal was aborted: pass call.signal to host.post.");
        const thrown: unknown = await call.catch((reason: unknown) => reason);
        if (thrown !== gone) await failureOf(call);
      },
    },
  ];
}

function bodyOf(text: string): Readonly<Record<string, unknown>> | undefined {
  const body: unknown = JSON.parse(text);
  return typeof body === "object" && body !== null ? { ...body } : undefined;
}

/**
 * Waits until everything that can run has run, or until `enough` returns true. A signature is computed on another thread, which may take long
 * on a busy machine: so this waits up to 2 s, not a number of turns.
 */
async function turns(enough?: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  for (let ms = 0; enough && ms < 2_000 && !enough(); ms++) await Bun.sleep(1);
}
