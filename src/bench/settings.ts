/**
 * The settings of a measurement from the command line, and the receiver of its progress.
 * A new option of `embedgate bench` is a member of `Settings`.
 */
import type { Wanted } from "./request";

export interface Settings extends Wanted {
  readonly url: URL;
  readonly key?: string | undefined;
  readonly connections: number;
  /** The load ends when the first of the two is reached. */
  readonly seconds: number;
  readonly requests: number;
}

export interface Watch {
  /** What will be sent, before it is sent. */
  say(words: string): void;
  /** The progress of the load. */
  at(share: number, words: string): void;
}
