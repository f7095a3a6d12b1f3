/** A job's progress on standard error: a bar on a terminal, otherwise a line every ten seconds. */
import type { Outside } from "../domain/outside";
import { openProgress, type Screen } from "../terminal/progress";
import { dollars, roughly } from "./estimate";
import type { State } from "./run";
import type { Spending } from "./spending";

const BAR_EVERY_MS = 100;
const LINE_EVERY_MS = 10_000;

export interface Telling {
  at(state: State): void;
  /** Prints a line above the bar. */
  note(words: string): void;
  end(): void;
}

/** @param total texts to send */
export function openTelling(
  screen: Screen,
  total: number,
  spending: Pick<Spending, "tokens" | "cost">,
  { monotonic }: Pick<Outside, "monotonic">,
): Telling {
  const bar = openProgress(screen);
  const began = monotonic();
  let told = began;
  const every = screen.isTTY ? BAR_EVERY_MS : LINE_EVERY_MS;
  const wordsOf = ({ texts, textsNow }: State): string => {
    const rate = textsNow / Math.max(0.001, (monotonic() - began) / 1_000);
    const left = rate === 0 ? "" : `, ${roughly(((total - texts) / rate) * 1_000)} left`;
    const cost = spending.cost === undefined ? "" : `, ${dollars(spending.cost)}`;
    const number = (value: number) => Math.round(value).toLocaleString("en-US");
    return `${number(texts)} of ${number(total)}, ${number(rate)}/s${left}, ${number(spending.tokens)} tokens${cost}`;
  };
  return {
    at(state) {
      if (monotonic() - told < every) return;
      told = monotonic();
      const share = total === 0 ? 1 : state.texts / total;
      if (screen.isTTY) bar.at(share, wordsOf(state));
      else screen.write(`${Math.floor(share * 100)} %  ${wordsOf(state)}\n`);
    },
    note(words) {
      bar.end();
      screen.write(`${words}\n`);
    },
    end: () => bar.end(),
  };
}
