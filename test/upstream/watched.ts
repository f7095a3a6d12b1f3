/**
 * The fake plugin behind a Route, watched: which calls were made, when, and how often each input was sent.
 * A test changes what happens before a call or to its reply; all else is the gateway's own.
 */
import fake from "../../plugins/fake";
import type { ConfiguredUpstream, Route } from "../../src/domain";
import type { KnownFacts } from "../../src/facts";
import type { EmbedCall, EmbedReply, Host, Input } from "../../src/plugin";
import { createHost } from "../../src/upstream/host";
import { type FakeOutside, fakeOutside } from "../fake-outside";
import { routeTo } from "./opened";

export interface Watched {
  readonly clock: FakeOutside;
  readonly route: Route;
  readonly calls: readonly EmbedCall[];
  /** Milliseconds from the start at which each call was made. */
  readonly callTimes: readonly number[];
  readonly timesSent: (input: Input) => number;
}

export interface Watching {
  readonly facts?: KnownFacts;
  readonly provider?: Partial<ConfiguredUpstream>;
  readonly before?: (call: EmbedCall, host: Host) => Promise<void> | void;
  readonly spoil?: (reply: EmbedReply) => EmbedReply;
  readonly seed?: number;
}

export function watched(model: string, { facts, provider, before, spoil, seed }: Watching = {}): Watched {
  const clock = fakeOutside({}, seed);
  const host = createHost(clock.outside);
  const upstream = fake(host).open({});
  const calls: EmbedCall[] = [];
  const callTimes: number[] = [];
  const embed = async (call: EmbedCall) => {
    calls.push(call);
    callTimes.push(clock.outside.monotonic());
    await before?.(call, host);
    const reply = await upstream.embed(call);
    return spoil ? spoil(reply) : reply;
  };
  return {
    clock,
    route: routeTo({ ...upstream, embed }, model, { facts, provider }),
    calls,
    callTimes,
    timesSent: (input) => calls.filter(({ inputs }) => inputs.includes(input)).length,
  };
}
