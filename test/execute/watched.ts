/**
 * The fake plugin behind a Route, observed: which calls were made, when, and how often each input was sent.
 * A test changes what happens before a call or to its reply; everything else is the gateway's own code.
 */
import fake from "../../plugins/fake";
import type { Route, Target } from "../../src/domain/request";
import type { EmbedCall, EmbedReply, Host, Input } from "../../src/plugin";
import { createHost } from "../../src/upstream/host";
import { type FakeOutside, fakeOutside } from "../fake-outside";
import { routeThrough, targetTo, type Way } from "./opened";

export interface Watched {
  readonly clock: FakeOutside;
  readonly route: Route;
  readonly target: Target;
  readonly calls: readonly EmbedCall[];
  /** Milliseconds from the start at which each call was made. */
  readonly callTimes: readonly number[];
  readonly timesSent: (input: Input) => number;
}

export interface Watching extends Omit<Way, "outside"> {
  readonly before?: (call: EmbedCall, host: Host) => Promise<void> | void;
  readonly spoil?: (reply: EmbedReply, call: EmbedCall) => EmbedReply;
  /** The plugin ignores its signal, and answers when it likes. */
  readonly isDeaf?: boolean;
  readonly seed?: number;
  /** If several are observed together: their common clock. */
  readonly clock?: FakeOutside;
}

export function watched(model: string, watching: Watching = {}): Watched {
  const { before, spoil, isDeaf = false, seed, clock = fakeOutside({}, seed), ...way } = watching;
  const host = createHost(clock.outside);
  const upstream = fake(host).open({});
  const calls: EmbedCall[] = [];
  const callTimes: number[] = [];
  const embed = async (call: EmbedCall) => {
    calls.push(call);
    callTimes.push(clock.outside.monotonic());
    await before?.(call, host);
    const { signal } = isDeaf ? new AbortController() : call;
    const reply = await upstream.embed({ ...call, signal });
    return spoil ? spoil(reply, call) : reply;
  };
  const target = targetTo({ ...upstream, embed }, model, { ...way, outside: clock.outside });
  return {
    clock,
    route: routeThrough([target]),
    target,
    calls,
    callTimes,
    timesSent: (input) => calls.filter(({ inputs }) => inputs.includes(input)).length,
  };
}
