/**
 * What every check works with: the plugin, opened as often as needed, and a valid reply of its upstream to spoil or to repeat.
 * A check is a name and a function that throws a Breach; a new one is a row in shape, answers, wire, failures or secrets.
 */
import type { Outside } from "../domain/outside";
import { Breach } from "./breach";
import { type Answer, again } from "./network";
import { callFor, type Opened, openPlugin, type Subject } from "./subject";

export interface Check {
  readonly name: string;
  /** What is tested, if the same check applies to several things. */
  readonly of?: string;
  /** Why it cannot be done here. */
  readonly skipped?: string | undefined;
  /** true: it requests vectors from the upstream, and is meaningless if that is down. */
  readonly asks?: boolean;
  /** @returns why it could not be done after all. @throws Breach, or whatever the plugin throws */
  readonly run: () => Promise<string | undefined> | Promise<void> | void;
}

export interface Bench {
  readonly subject: Subject;
  readonly open: (changedOptions?: Readonly<Record<string, unknown>>) => Opened;
  /** As many of these as one call may contain. */
  readonly fitting: (texts: readonly string[]) => readonly string[];
  /** The upstream's own answer to these texts, to be repeated. */
  readonly soundReply: (texts: readonly string[]) => Promise<Answer & (() => Response)>;
  readonly now: () => number;
  /** A world of its own, for a check that observes how it is used. */
  readonly outside: () => Outside;
}

export function createBench(subject: Subject, outside: () => Outside): Bench {
  const open = (changedOptions?: Readonly<Record<string, unknown>>) =>
    openPlugin(subject, outside(), changedOptions);
  const replies = new Map<string, Answer & (() => Response)>();
  let inputsMax: number | undefined;

  function fitting(texts: readonly string[]): readonly string[] {
    inputsMax ??= subject.maxInputs ?? open().upstream.describe?.(subject.model)?.max_inputs;
    return texts.slice(0, inputsMax);
  }

  return {
    subject,
    open,
    fitting,
    outside,
    now: () => outside().now(),
    async soundReply(texts) {
      const key = JSON.stringify(texts);
      const known = replies.get(key);
      if (known) return known;
      const { upstream, network } = open();
      await upstream.embed(callFor(subject, texts));
      const [reply] = network.replies;
      if (!reply) throw new Breach("It answered without asking its upstream.");
      const answer = () => again(reply);
      replies.set(key, answer);
      return answer;
    },
  };
}

export const titleOf = ({ name, of }: Pick<Check, "name" | "of">) =>
  of === undefined ? name : `${name}: ${of}`;
