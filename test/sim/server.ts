/**
 * One upstream server: OpenAI's embeddings API, answered correctly from truth.ts or spoiled by a fault. It also checks the requests.
 * A new rule of a real vendor is a line of `refusalOf`; delivery.ts has how an answer travels.
 */
import { isBomb, isPoison } from "./asks";
import { Breach, type Call, PROBE, type Refused } from "./calls";
import { memberOf, partsOf } from "./crowd";
import { type FaultName, faultNamed } from "./faults";
import type { Random } from "./random";
import { nativeSizes } from "./routing";
import type { Scenario, SimServer } from "./scenario";
import { type Draft, type Entry, envelope, type Fault } from "./spoil";
import {
  base64Of,
  bytesOf,
  nameOf,
  rawVector,
  type SimInput,
  sum,
  tokensGuessedMax,
  tokensOf,
} from "./truth";

export interface Answering {
  readonly call: Call;
  readonly draft: Draft;
}

export interface Server {
  /** @throws Breach if it is sent what it must not be sent */
  answer(init: RequestInit, elapsedMs: number): Answering;
  /** From now on nothing goes wrong. */
  heal(): void;
}

interface Body {
  readonly model: string;
  readonly input: readonly SimInput[];
  readonly encoding_format: "float" | "base64";
  readonly dimensions?: number;
  /** Left out by crowds. */
  readonly user?: string;
}

export function createServer(server: SimServer, scenario: Scenario, random: Random, calls: Call[]): Server {
  let isHealed = false;

  function draw(elapsedMs: number): FaultName | undefined {
    if (isHealed) return undefined;
    const { spell, faultRate, faults } = server;
    if (spell && elapsedMs >= spell.fromMs && elapsedMs < spell.toMs) return spell.fault;
    return random.chance(faultRate) ? random.pick(faults) : undefined;
  }

  return {
    heal() {
      isHealed = true;
    },
    answer(init, elapsedMs) {
      const body: Body = JSON.parse(String(init.body));
      const model = scenario.models.find(({ vendorName }) => vendorName === body.model);
      if (!model) throw new Breach("calls are as the routing file says", `unknown model ${body.model}`);
      const inputs = body.input;
      const size = body.dimensions ?? model.dimensions;
      checkCall(body, init, server, model);

      const encoding = body.encoding_format;
      const { vendorName, isUnit } = model;
      const computed = model.strangers.includes(server.name) ? `${vendorName}, of a stranger` : vendorName;
      const vectors = inputs.map((input) => rawVector(input, computed, size, isUnit));
      const tokens = sum(inputs.map(tokensOf));
      const written = (vector: Float32Array) => (encoding === "base64" ? base64Of(vector) : [...vector]);
      const entriesOf = (all: readonly Float32Array[]): Entry[] =>
        all.map((vector, index) => ({ object: "embedding", index, embedding: written(vector) }));
      const bodyOf = (data: readonly Entry[], members: Readonly<Record<string, unknown>> = {}) =>
        JSON.stringify({
          object: "list",
          data,
          model: vendorName,
          usage: { prompt_tokens: tokens, total_tokens: tokens },
          ...members,
        });
      const entries = entriesOf(vectors);
      const { least, most } = server.latencyMs;
      const right: Draft = {
        status: 200,
        headers: { "content-type": "application/json" },
        body: bodyOf(entries),
        delayMs: least + random.number() * (most - least),
        delivery: "whole",
        dripMs: 0,
      };

      const name = draw(elapsedMs);
      const fault = name && faultNamed(name);
      const refused = refusalOf(inputs, model);
      const spoiled = refused
        ? REFUSALS[refused].draft
        : fault?.spoil({
            right,
            entries,
            vectors,
            foreignEntries: entriesOf(inputs.map((input) => rawVector(input, "larger", size, true))),
            isKnownModel: model.isKnown,
            encoding,
            bodyOf,
            random,
            timeoutMs: server.timeoutMs,
            deadlineMs: scenario.deadlineMs,
            elapsedMs,
            key: server.key,
          });
      const { waitMs = 0, ...changes } = { waitMs: 0, ...spoiled };
      const counts: Fault["counts"] = refused ? "maybe" : (fault?.counts ?? "exact");
      const guessedMax = sum(inputs.map(tokensGuessedMax));
      const { user = "" } = body;
      const call: Call = {
        number: (calls.at(-1)?.number ?? 0) + 1,
        server: server.name,
        ask: user,
        model,
        inputs,
        partKey: `${user} ${JSON.stringify(inputs.map(nameOf))}`,
        startedMs: elapsedMs,
        trouble: refused ?? name,
        excuses: refused ? REFUSALS[refused].excuses : excusesOf(fault, name, model.isKnown),
        isLasting: refused ? refused !== "bomb" : (fault?.isLasting ?? false),
        waitMs,
        tokensLeast: counts === "exact" ? tokens : counts === "guess" ? inputs.length : 0,
        tokensMost: counts === "exact" ? tokens : Math.max(tokens, guessedMax),
        endedMs: undefined,
        end: undefined,
      };
      calls.push(...(body.user === undefined ? partsOf(call) : [call]));
      return { call, draft: { ...right, ...changes } };
    },
  };
}

/** If the gateway knows no model by its name, another name in a reply means nothing. */
function excusesOf(
  fault: Fault | undefined,
  name: FaultName | undefined,
  isKnown: boolean,
): readonly number[] {
  return name === "another model" && !isKnown ? [] : (fault?.excuses ?? []);
}

const refusing = (
  status: number,
  message: string,
  excuses: readonly number[],
  code: string | null = null,
) => ({
  draft: { status, body: envelope(message, code) },
  excuses,
});

const REFUSALS: Readonly<
  Record<Refused, { readonly draft: Partial<Draft>; readonly excuses: readonly number[] }>
> = {
  poison: refusing(400, "something in here is not to our taste", [400]),
  bomb: refusing(500, "something in here made us fall over", [503]),
  "input too long": refusing(400, "maximum context length exceeded", [400], "context_length_exceeded"),
  // Half of it may be accepted, down to one input.
  "too many tokens": refusing(400, "too many tokens in one call", [400], "max_tokens_per_request"),
};

function refusalOf(inputs: readonly SimInput[], model: Call["model"]): Refused | undefined {
  const { hiddenInputTokensMax = Number.POSITIVE_INFINITY, hiddenCallTokensMax } = model;
  if (inputs.some((input) => tokensOf(input) > hiddenInputTokensMax)) return "input too long";
  if (hiddenCallTokensMax !== undefined && sum(inputs.map(tokensOf)) > hiddenCallTokensMax)
    return "too many tokens";
  if (inputs.some(isPoison)) return "poison";
  return inputs.some(isBomb) ? "bomb" : undefined;
}

/** @throws Breach */
function checkCall(body: Body, init: RequestInit, server: SimServer, model: Call["model"]): void {
  const refuse = (what: string) => {
    throw new Breach("calls are as the routing file says", `${what} to ${server.name}, ${model.id}`);
  };
  const { input: inputs, dimensions, encoding_format } = body;
  if (new Headers(init.headers).get("authorization") !== `Bearer ${server.key}`)
    refuse("a wrong key was sent");
  if (!model.servers.includes(server.name)) refuse("a call went to a server that no route names");
  if (model.strangers.includes(server.name) && body.user !== PROBE)
    throw new Breach("whose vectors are of another space serves nobody", `${server.name}, ${model.id}`);
  if (encoding_format !== model.wireEncoding) refuse(`${encoding_format} was asked for`);
  if (init.redirect !== "manual") refuse("a redirect would be followed");
  if (dimensions !== undefined && model.sizes !== "native" && dimensions !== model.dimensions)
    refuse(`the size ${dimensions} was asked for`);
  if (dimensions !== undefined && !nativeSizes(model.dimensions).includes(dimensions))
    refuse(`the size ${dimensions} was asked for`);
  if (body.user === undefined && !inputs.every(memberOf)) refuse("inputs without a user were sent");
  if (inputs.length === 0 || inputs.length > model.inputsMax) refuse(`${inputs.length} inputs were sent`);
  if (inputs.length === 1) return;
  // One input over a limit goes alone, and the server answers by its rules.
  if (model.callTokensMax !== undefined && sum(inputs.map(tokensOf)) > model.callTokensMax)
    refuse("more tokens were sent than it takes");
  if (model.callBytesMax !== undefined && sum(inputs.map(bytesOf)) > model.callBytesMax)
    refuse("more bytes were sent than it takes");
}
