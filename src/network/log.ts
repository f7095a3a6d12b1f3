/**
 * The lines of the log, as JSON or as text for people, and which lines are written (a reload may change that).
 */
import { visible } from "../domain/control-characters";
import type { LogLevel, LogSettings, Outside } from "../domain/outside";

export interface LogParts {
  readonly write: (line: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly isTerminal: boolean;
  readonly hasColours: boolean;
}

export interface Log {
  readonly write: Outside["log"];
  readonly by: (settings: LogSettings) => void;
}

const IMPORTANCE: Readonly<Record<LogLevel, number>> = { info: 0, warn: 1, error: 2 };
const COLOURS: Readonly<Record<LogLevel, number>> = { info: 32, warn: 33, error: 31 };

export function createLog({ write, now, isTerminal, hasColours }: LogParts): Log {
  let least = IMPORTANCE.info;
  let isPretty = isTerminal;
  return {
    write(level, message, about = {}) {
      if (IMPORTANCE[level] < least) return;
      const time = new Date(now()).toISOString();
      write(
        isPretty
          ? prettyLine({ time, level, message, about, hasColours: hasColours && isTerminal })
          : logLine({ time, level, message, ...about }),
      );
    },
    by({ level, format }) {
      least = IMPORTANCE[level];
      isPretty = format === "pretty" || (format === "auto" && isTerminal);
    },
  };
}

/** Escapes invisible characters that JSON leaves unescaped. */
export function logLine(about: Readonly<Record<string, unknown>>): string {
  return visible(jsonOf(about));
}

/** Amounts are bigints, which JSON does not support. */
function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? String(inner) : inner)) ?? "";
}

interface Line {
  readonly time: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly about: Readonly<Record<string, unknown>>;
  readonly hasColours: boolean;
}

/** `03:12:09.120 WARN  what happened  key=value`: the time is in UTC, without the date. */
function prettyLine({ time, level, message, about, hasColours }: Line): string {
  const told = Object.entries(about)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${wordOf(value)}`);
  const word = level.toUpperCase().padEnd(5);
  const painted = hasColours ? `\u001b[${COLOURS[level]}m${word}\u001b[0m` : word;
  const clock = time.slice("2026-11-28T".length, -1);
  const said = visible([message, ...told].join("  "));
  return `${clock} ${painted} ${said}`;
}

/** Without quotes if the value is unambiguous. */
function wordOf(value: unknown): string {
  if (typeof value === "string" && /^[\w./:@+-]+$/.test(value)) return value;
  return jsonOf(value);
}
