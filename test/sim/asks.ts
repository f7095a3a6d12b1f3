/**
 * Clients' requests, drawn from the seed: valid and invalid bodies, and the expected answer if nothing else goes wrong.
 * A new kind of invalid request is a row of WRONG, a valid one a draw in `drawRight`; judge-answer.ts judges answers.
 */
import type { Random } from "./random";
import { INPUT_TOKENS_MAX, nativeSizes } from "./routing";
import { countedTokens } from "./tokenizer";
import type { SimInput, SimModel } from "./truth";

export interface Ask {
  readonly id: string;
  /** Sent upstream, so that servers know whose call it is: the id; undefined if the text contains it (crowd.ts). */
  readonly user: string | undefined;
  /** undefined if the body is not read that far. */
  readonly model: SimModel | undefined;
  /** The requested id: the model's own, or an alias. */
  readonly modelId: string;
  readonly inputs: readonly SimInput[];
  readonly encoding: "float" | "base64";
  readonly dimensions: number | undefined;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The workspace of the key; undefined: no key. */
  readonly workspace: string | undefined;
  readonly waitsMs: number;
  /** The client closes its connection this long after the request. */
  readonly leavesAfterMs: number | undefined;
  /** The expected error of an invalid request; undefined: it is valid. */
  readonly refusal: Refusal | undefined;
}

export interface Refusal {
  readonly status: number;
  readonly code: string | null;
  readonly param: string | null;
}

export function drawAsks(
  random: Random,
  models: readonly [SimModel, ...SimModel[]],
  workspaces: readonly string[],
): Ask[][] {
  const texts = drawTexts(random.fork("texts"));
  let count = 0;
  const drawAsk = (): Ask => {
    count += 1;
    const draws = random.fork(`ask ${count}`);
    const workspace = workspaces.length === 0 ? undefined : draws.shuffled(workspaces)[0];
    const id = `ask-${count}`;
    const right = drawRight(draws, id, models, texts, workspace);
    return draws.chance(0.08) ? draws.pick(WRONG)(right, draws) : right;
  };
  return Array.from({ length: random.integer(1, 4) }, () =>
    Array.from({ length: random.integer(1, 5) }, drawAsk),
  );
}

/** The request that shows whether everything works again. */
export function plainAsk(id: string, model: SimModel, workspace: string | undefined): Ask {
  return asked({
    id,
    user: id,
    model,
    modelId: model.id,
    inputs: [`is all well again, ${id}?`],
    encoding: "float",
    dimensions: undefined,
    headers: {},
    workspace,
    waitsMs: 0,
    leavesAfterMs: undefined,
    refusal: undefined,
    isSingle: true,
  });
}

const WORDS = [
  "the",
  "quick",
  "brown",
  "fox",
  "jümps",
  "over",
  "a",
  "lazy",
  "dög",
  "犬",
  "🦊",
  '"so"',
  "\\",
  "\t.",
];

/** Servers refuse a call with one of these without naming it; or fail because of it. */
export const isPoison = (input: SimInput) => typeof input === "string" && input.startsWith("poison");
export const isBomb = (input: SimInput) => typeof input === "string" && input.startsWith("bomb");

function drawTexts(random: Random): [string, ...string[]] {
  const words = (count: number) =>
    Array.from({ length: count }, () => random.pick(["the", ...WORDS])).join(" ");
  const texts = Array.from({ length: random.integer(8, 40) }, (_, i) => {
    const length = random.chance(0.1) ? random.integer(30, 60) : random.integer(1, 9);
    return random.chance(0.3) ? `${words(length)} ${i}` : `${i} ${words(length)}`;
  });
  const special = [
    ...(random.chance(0.2) ? [`poison ${words(3)}`] : []),
    ...(random.chance(0.1) ? [`bomb ${words(3)}`] : []),
    ...(random.chance(0.3) ? ["[2790, 66]", "[2790,66]", "2790,66"] : []),
    ...(random.chance(0.1) ? [" ", "\n", "null"] : []),
  ];
  return ["[2790,66]", ...texts, ...special];
}

interface Drawn extends Omit<Ask, "body"> {
  /** One input as it is, not in a list. */
  readonly isSingle: boolean;
}

export function asked({ isSingle, ...drawn }: Drawn, change: Readonly<Record<string, unknown>> = {}): Ask {
  const { modelId, inputs, encoding, dimensions, user } = drawn;
  const body = {
    model: modelId,
    input: isSingle ? inputs[0] : inputs,
    ...(encoding === "float" ? {} : { encoding_format: encoding }),
    ...(dimensions === undefined ? {} : { dimensions }),
    user,
    ...change,
  };
  return { ...drawn, body: JSON.stringify(body) };
}

function drawRight(
  random: Random,
  id: string,
  models: readonly [SimModel, ...SimModel[]],
  texts: readonly [string, ...string[]],
  workspace: string | undefined,
): Ask {
  const model = random.pick(models);
  const inputs = model.takesTokenIds && random.chance(0.15) ? drawIds(random) : drawInputs(random, texts);
  const right = asked({
    id,
    user: id,
    model,
    modelId: model === models[0] && random.chance(0.1) ? "alias" : model.id,
    inputs,
    encoding: random.pick(["float", "base64"]),
    dimensions: drawSize(random, model),
    headers: random.chance(0.12) ? { "cache-control": random.pick(["no-store", "no-cache"]) } : {},
    workspace,
    waitsMs: random.chance(0.3) ? 0 : random.integer(0, 1_500),
    leavesAfterMs: random.chance(0.06) ? random.integer(0, 400) : undefined,
    refusal: undefined,
    isSingle: inputs.length === 1 && random.chance(0.7),
  });
  return { ...right, refusal: tooLong(right, model) };
}

/** If tokens can be counted, a text that is too long is refused before anything is sent. */
function tooLong({ inputs }: Ask, { countedTokensMax }: SimModel): Refusal | undefined {
  if (countedTokensMax === undefined) return undefined;
  const place = inputs.findIndex(
    (input) => (typeof input === "string" ? countedTokens(input) : input.length) > countedTokensMax,
  );
  if (place === -1) return undefined;
  const param = inputs.length === 1 ? "input" : `input[${place}]`;
  return { status: 400, code: "context_length_exceeded", param };
}

function drawInputs(random: Random, texts: readonly [string, ...string[]]): readonly string[] {
  const count = random.chance(0.45)
    ? 1
    : random.chance(0.97)
      ? random.integer(2, 24)
      : random.integer(25, 260);
  // Few requests contain poison, so that most are answered.
  const some = random.chance(0.75) ? texts.filter((text) => !isPoison(text) && !isBomb(text)) : texts;
  const [first = texts[0], ...others] = some;
  // Small requests repeat a text now and then; in large ones a number makes most texts different.
  return Array.from({ length: count }, (_, i) => {
    const text = random.pick([first, ...others]);
    return count > 24 && random.chance(0.8) ? `${text} ${i}` : text;
  });
}

function drawIds(random: Random): readonly (readonly number[])[] {
  const ids = () =>
    random.chance(0.3)
      ? [2790, 66]
      : Array.from({ length: random.integer(1, 12) }, () => random.integer(0, 100_000));
  return Array.from({ length: random.chance(0.5) ? 1 : random.integer(2, 9) }, ids);
}

function drawSize(random: Random, { sizes, dimensions }: SimModel): number | undefined {
  if (random.chance(0.5)) return undefined;
  if (sizes === "one") return dimensions;
  if (sizes === "truncate") return random.integer(1, dimensions);
  return random.pick([dimensions, ...nativeSizes(dimensions)]);
}

type Spoiled = (right: Ask, random: Random) => Ask;

/** A valid request with one error in it. */
const wrong =
  (refusal: Refusal, change: (right: Ask, random: Random) => Readonly<Record<string, unknown>>): Spoiled =>
  (right, random) => ({
    ...right,
    refusal,
    body: JSON.stringify({ ...JSON.parse(right.body), ...change(right, random) }),
  });

const WRONG: readonly [Spoiled, ...Spoiled[]] = [
  wrong({ status: 404, code: "model_not_found", param: null }, () => ({ model: "no-such-model" })),
  wrong({ status: 400, code: "embeddings_unsupported", param: "model" }, () => ({ model: "chat" })),
  wrong({ status: 400, code: null, param: "input" }, () => ({ input: "" })),
  wrong({ status: 400, code: null, param: "input[1]" }, () => ({ input: ["a", "", "c"] })),
  wrong({ status: 400, code: null, param: "input" }, () => ({
    input: Array.from({ length: 2049 }, () => "a"),
  })),
  wrong({ status: 400, code: null, param: "encoding_format" }, () => ({ encoding_format: "int8" })),
  wrong({ status: 400, code: "unsupported_dimensions", param: "dimensions" }, ({ model }) => ({
    dimensions: (model?.dimensions ?? 1) + 1,
  })),
  wrong({ status: 400, code: null, param: "extra_body.input" }, () => ({ extra_body: { input: "another" } })),
  wrong({ status: 400, code: null, param: "extra_body.api_key" }, () => ({
    extra_body: { api_key: "mine" },
  })),
  wrong({ status: 400, code: null, param: "input[1]" }, () => ({ input: ["a", "\ud83d"] })),
  wrong({ status: 400, code: "context_length_exceeded", param: "input[2]" }, () => ({
    input: [[1], [2], Array.from({ length: INPUT_TOKENS_MAX + 1 }, () => 5)],
  })),
  (right) => ({
    ...right,
    model: undefined,
    refusal: { status: 400, code: null, param: null },
    body: right.body.slice(0, -2),
  }),
];
