/**
 * What an endpoint is measured with, as the command line says it, and who is told meanwhile.
 * A new option of `embedgate bench` is a member of `Settings`.
 */
import type { Wanted } from "./request";

export interface Settings extends Wanted {
  readonly url: URL;
  readonly key?: string | undefined;
  readonly connections: number;
  /** Whichever of the two is reached first ends the load. */
  readonly seconds: number;
  readonly requests: number;
}

export interface Watch {
  /** What will be sent, before it is. */
  say(words: string): void;
  /** How far the load is. */
  at(share: number, words: string): void;
}
