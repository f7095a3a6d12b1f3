/** A progress bar on a terminal, redrawn in place; nothing if standard error is not a terminal. */

export interface Progress {
  /** @param share from 0 to 1 */
  at(share: number, words: string): void;
  /** Removes it again. */
  end(): void;
}

/** A terminal's stream. */
export interface Screen {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

const CELLS = 24;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/** To the line's start, then clears the line. */
const CLEAR = "\r\u001b[K";

export function openProgress(screen: Screen): Progress {
  if (!screen.isTTY) return { at: () => undefined, end: () => undefined };
  return {
    at(share, words) {
      const columns = screen.columns ?? 80;
      const line = `${barOf(share)} ${String(Math.floor(share * 100)).padStart(3)} %  ${words}`;
      // A line that wraps could not be redrawn in place.
      screen.write(`${CLEAR}${line.slice(0, columns - 1)}`);
    },
    end: () => screen.write(CLEAR),
  };
}

function barOf(share: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * CELLS * 8);
  const full = "█".repeat(Math.floor(eighths / 8));
  return `${full}${EIGHTHS[eighths % 8]}`.padEnd(CELLS, "░");
}
