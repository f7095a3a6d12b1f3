/** A hook with the answer of an Admin API path, refreshed every few seconds while the page is visible. The previous answer stays during a refresh. */
import { type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { type At, addressOf, type Reads, read } from "./api";
import { whileSeen } from "./browser";

export interface Answered<Said> {
  readonly said: Said | undefined;
  readonly problem: string | undefined;
  again(): void;
}

export function useAnswer<Path extends keyof Reads>(
  path: Path,
  at: At = {},
  seconds = 0,
): Answered<Reads[Path]> {
  const said: Signal<Reads[Path] | undefined> = useSignal(undefined);
  const problem = useSignal<string | undefined>(undefined);
  const round = useSignal(0);
  useEffect(() => {
    let isOver = false;
    const load = async () => {
      try {
        const answer = await read(path, at);
        if (isOver) return;
        said.value = answer;
        problem.value = undefined;
      } catch (thrown) {
        if (!isOver) problem.value = messageOf(thrown);
      }
    };
    void load();
    const stop = seconds > 0 ? whileSeen(seconds, load) : undefined;
    return () => {
      isOver = true;
      stop?.();
    };
  }, [addressOf(path, at), seconds, round.value]);
  return {
    said: said.value,
    problem: problem.value,
    again() {
      round.value++;
    },
  };
}

export const messageOf = (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown));
