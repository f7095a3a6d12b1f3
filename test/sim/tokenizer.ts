/**
 * The tokenizer's Worker, simulated: it does the real one's jobs, each after some simulated time.
 * What can go wrong with it is a branch of `post`.
 */

import cl100k from "gpt-tokenizer/encoding/cl100k_base";
import type { Outside } from "../../src/domain/outside";
import { perform } from "../../src/tokens/jobs";
import type { OpenTokenizer } from "../../src/tokens/tokens";

const JOB_MS_MAX = 60;

export function simulatedTokenizer({ sleep, random }: Pick<Outside, "sleep" | "random">): OpenTokenizer {
  return (told) => {
    const underWay = new Set<number>();
    return {
      post(message) {
        if (message.kind === "cancel") {
          underWay.delete(message.id);
          return;
        }
        underWay.add(message.id);
        void sleep(random() * JOB_MS_MAX).then(() => {
          const steps = perform(message);
          for (let step = steps.next(); ; step = steps.next()) {
            if (!step.done) continue;
            if (underWay.delete(message.id)) told(step.value);
            return;
          }
        });
      },
      end: () => underWay.clear(),
    };
  };
}

/** What a client can count beforehand with another library. */
export const countedTokens = (text: string) => cl100k.countTokens(text);
