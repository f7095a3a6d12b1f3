/**
 * Many clients that ask for one text each, nearly at the same time and without a `user`: their calls may be coalesced if a server's entry
 * says so. Each text contains its owner's id, and each ask's share of a call is judged by itself (`partsOf`).
 */
import { type Ask, asked, isBomb, isPoison } from "./asks";
import type { Call } from "./calls";
import type { Random } from "./random";
import { bytesOf, nameOf, type SimInput, type SimModel, sum } from "./truth";

const WORDS = ["a", "the", "fox", "jümps", "犬", "quick and brown", "🦊🦊🦊", "over\tthe lazy dog"] as const;

const NO_STORE: Readonly<Record<string, string>> = { "cache-control": "no-store" };

/** @returns clients that ask once each */
export function drawCrowd(
  random: Random,
  models: readonly [SimModel, ...SimModel[]],
  workspaces: readonly string[],
): Ask[][] {
  if (random.chance(0.6)) return [];
  const atMs = random.integer(0, 3_000);
  const withinMs = random.pick([0, 5, 50, 400]);
  const model = random.pick(models);
  const poisoned = random.chance(0.3) ? random.pick(["poison", "bomb"]) : undefined;
  return Array.from({ length: random.integer(2, 14) }, (_, i) => {
    const draws = random.fork(`member ${i}`);
    const id = `crowd-${i}`;
    const words = Array.from({ length: draws.integer(1, 5) }, () => draws.pick([...WORDS])).join(" ");
    const isBad = poisoned !== undefined && draws.chance(0.2);
    const drawn = {
      id,
      user: undefined,
      model: draws.chance(0.9) ? model : draws.pick(models),
      inputs: [`${isBad ? `${poisoned} ` : ""}${words} ${id}`],
      encoding: draws.pick<Ask["encoding"]>(["float", "base64"]),
      dimensions: undefined,
      headers: draws.chance(0.1) ? NO_STORE : {},
      workspace: draws.shuffled(workspaces)[0],
      waitsMs: atMs + draws.integer(0, withinMs),
      leavesAfterMs: draws.chance(0.1) ? draws.integer(0, 300) : undefined,
      refusal: undefined,
      isSingle: true,
    };
    return [asked({ ...drawn, modelId: drawn.model.id }, { metadata: { ask: id } })];
  });
}

/** The ask that a text belongs to; undefined: an ask with a `user`. */
export const memberOf = (input: SimInput | undefined) =>
  typeof input === "string" ? / (crowd-\d+)$/.exec(input)?.[1] : undefined;

/** Errors that no client may get because of its own text. */
const OF_ANOTHER = 0;

/** A call as seen by each ask with a text in it: its own text, its own share of the tokens, and no excuse from another's text. */
export function partsOf(call: Call): readonly Call[] {
  const { inputs, trouble, tokensLeast, tokensMost } = call;
  const isExact = tokensLeast === tokensMost;
  const shares = isExact ? sharesByBytes(tokensLeast, inputs) : [];
  const isOwnFault = (input: SimInput) =>
    trouble === "poison" ? isPoison(input) : trouble === "bomb" ? isBomb(input) : inputs.length === 1;
  const isRefusal =
    trouble === "poison" ||
    trouble === "bomb" ||
    trouble === "input too long" ||
    trouble === "too many tokens";
  return inputs.map((input, i) => ({
    ...call,
    ask: memberOf(input) ?? call.ask,
    inputs: [input],
    partKey: `${memberOf(input)} ${JSON.stringify(nameOf(input))}`,
    excuses: isRefusal && !isOwnFault(input) ? [OF_ANOTHER] : call.excuses,
    tokensLeast: isExact ? (shares[i] ?? 0) : 0,
    tokensMost: isExact ? (shares[i] ?? 0) : tokensMost,
    get end() {
      return call.end;
    },
    set end(end) {
      call.end = end;
    },
    get endedMs() {
      return call.endedMs;
    },
    set endedMs(endedMs) {
      call.endedMs = endedMs;
    },
  }));
}

/** Each part rounded down, and the rest to the largest remainders, and among equal ones to the earlier. */
function sharesByBytes(total: number, inputs: readonly SimInput[]): number[] {
  const bytes = inputs.map(bytesOf);
  const all = sum(bytes);
  const shares = bytes.map((own) => Math.floor((total * own) / all));
  const byRemainder = [...bytes.keys()].sort(
    (a, b) => ((total * (bytes[b] ?? 0)) % all) - ((total * (bytes[a] ?? 0)) % all),
  );
  for (const place of byRemainder.slice(0, total - sum(shares))) shares[place] = (shares[place] ?? 0) + 1;
  return shares;
}
