/**
 * Collects every answer of an endpoint and reports at the end what they got right or wrong.
 * src/bench/answer.ts checks single answers; a check over all of them is a line of `checks`.
 */
import { type Answer, FAULTS, type Fault } from "./answer";

export interface Check {
  readonly check: string;
  readonly outcome: "right" | "wrong" | "skipped";
  /** What is wrong, why it was not tried, or a further observation. */
  readonly why?: string | undefined;
}

export const right = (check: string, why?: string): Check => ({ check, outcome: "right", why });
export const wrong = (check: string, why: string): Check => ({ check, outcome: "wrong", why });
export const skipped = (check: string, why: string): Check => ({ check, outcome: "skipped", why });

const UNIT_LENGTH_TOLERANCE = 1e-3;

/** Collects every answer, and reports at the end what they got right or wrong. */
export interface Judge {
  see(answer: Answer): void;
  checks(): Check[];
}

export function openJudge(): Judge {
  const faults = new Map<Fault, { count: number; first: string }>();
  let answers = 0;
  let shuffled = 0;
  let withTokens = 0;
  const sizes = new Set<number>();
  const lengths = { least: Number.POSITIVE_INFINITY, most: 0 };
  const add = (fault: Fault, words: string) => {
    const seen = faults.get(fault) ?? { count: 0, first: words };
    faults.set(fault, { ...seen, count: seen.count + 1 });
  };

  function see(answer: Answer): void {
    answers += 1;
    if (!answer.inOrder) shuffled += 1;
    if (answer.tokens !== undefined && answer.tokens > 0) withTokens += 1;
    for (const [fault, words] of answer.faults) add(fault, words);
    for (const vector of answer.vectors) {
      sizes.add(vector.length);
      const length = lengthOf(vector);
      if (!Number.isFinite(length) || length === 0) continue;
      lengths.least = Math.min(lengths.least, length);
      lengths.most = Math.max(lengths.most, length);
    }
  }

  function faultCheck(fault: Fault): Check {
    const says = FAULTS[fault];
    const seen = faults.get(fault);
    if (seen) return wrong(says, `${seen.first}${seen.count > 1 ? `; ${seen.count} answers in all` : ""}`);
    if (fault === "size" && sizes.size > 1)
      return wrong(says, `of ${[...sizes].join(" and of ")} numbers, in different answers`);
    if (fault === "size") return right(says, `${[...sizes].join()} numbers`);
    if (fault === "index" && shuffled > 0) return right(says, `${shuffled} answers were in another order`);
    return right(says);
  }

  function lengthCheck(): Check {
    const { least, most } = lengths;
    const says = "vector norm";
    if (most === 0) return skipped(says, "there is none");
    const isUnit = least > 1 - UNIT_LENGTH_TOLERANCE && most < 1 + UNIT_LENGTH_TOLERANCE;
    return right(
      says,
      isUnit ? "1" : `${least.toPrecision(3)} to ${most.toPrecision(3)}: they are not normalised`,
    );
  }

  function usageCheck(): Check {
    const says = "usage reports tokens";
    return withTokens === answers
      ? right(says)
      : wrong(says, `${answers - withTokens} of ${answers} answers have no usage.prompt_tokens above 0`);
  }

  return {
    see,
    checks() {
      if (answers === 0) return [];
      const kinds = Object.keys(FAULTS).filter((kind): kind is Fault => kind in FAULTS);
      return [...kinds.map(faultCheck), lengthCheck(), usageCheck()];
    },
  };
}

function lengthOf(vector: Float32Array): number {
  let squares = 0;
  for (const value of vector) squares += value * value;
  return Math.sqrt(squares);
}
