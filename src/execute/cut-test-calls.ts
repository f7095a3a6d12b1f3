/**
 * The calls of a cut test (cut-test.ts). The answer that is tested is already paid for, so a call of the test that fails temporarily is retried by
 * itself, with exponential backoff and the limits for a request's own calls. The answer is kept meanwhile, and not requested again.
 */
import { cosineOf } from "../domain/cosine";
import type { EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Part } from "../domain/request";
import type { EmbedReply } from "../plugin";
import { believed } from "../tokens/belief";
import { countOf } from "../tokens/count";
import { restMs } from "../upstream/health";
import { type Chosen, healthOf, RETRY_AFTER_MS_MAX } from "./choose";
import { backoffMs } from "./history";
import { asProviderError } from "./provider-error";
import type { Work } from "./work";

export interface TestCalls {
  /**
   * Its tokens are counted, and every text has a vector.
   * @throws GatewayError if no retry is left or none would help; the signal's reason
   */
  readonly ask: (texts: Part) => Promise<EmbedReply>;
  /** The calls that failed: each counts as one of the request's attempts. */
  readonly failures: () => number;
}

/**
 * @param signal cancels the calls
 * @param call makes one, with its time limit
 */
export function createTestCalls(
  work: Work,
  { target, callsLeft }: Chosen,
  signal: EndSignal,
  call: (texts: Part) => Promise<EmbedReply>,
): TestCalls {
  const { outside, run, route } = work;
  const { provider } = target;
  let failures = 0;

  async function once(texts: Part): Promise<EmbedReply> {
    const inputs = texts.pieces.map(({ input }) => input);
    const reply = believed(await call(texts), inputs, healthOf(target));
    work.count(countOf(reply, inputs), target);
    const hasEach = inputs.every((_, place) => isVector(reply.vectors.find(({ index }) => index === place)));
    if (hasEach) return reply;
    // Without a vector nothing is known, neither that a text was cut nor that it was not.
    throw new GatewayError(
      "malformed",
      "The provider's answer cannot be used: it has no vector of one text.",
    );
  }

  /** @throws GatewayError if no retry follows */
  async function untilRetry(error: GatewayError): Promise<void> {
    failures += 1;
    const health = healthOf(target);
    const now = outside.monotonic();
    health.restsUntil = Math.max(health.restsUntil, now + restMs(error));
    const waitMs = backoffMs(failures, error.retryAfterMs, outside.random());
    const isLeft = failures <= provider.retries && failures < callsLeft && now + waitMs < run.endsAt;
    if (!error.meaning.retry || !isLeft || (error.retryAfterMs ?? 0) > RETRY_AFTER_MS_MAX)
      throw aboutNoInput(error);
    outside.log("warn", "upstream call failed: a retry or fallback follows", {
      request: run.requestId,
      model: route.id,
      provider: provider.name,
      attempt: failures,
      kind: error.kind,
      upstream_status: error.upstreamStatus,
      reason: error.inLog,
    });
    // The place at the concurrency gate is kept: calls that wait for this test's result hold theirs too.
    await outside.sleep(waitMs, signal);
  }

  return {
    async ask(texts) {
      for (;;) {
        try {
          return await once(texts);
        } catch (thrown) {
          if (signal.aborted) throw thrown;
          await untilRetry(asProviderError(thrown, work, target));
        }
      }
    },
    failures: () => failures,
  };
}

const isVector = (vector: EmbedReply["vectors"][number] | undefined) =>
  vector !== undefined && cosineOf(vector.values, vector.values) !== undefined;

/** A 500 may be caused by one of a call's texts, which the gateway then searches for. The test's texts are its own, so that search would be in vain. */
function aboutNoInput(error: GatewayError): GatewayError {
  if (error.kind !== "unavailable") return error;
  return new GatewayError(error.kind, error.message, {
    ...error,
    cause: error.cause,
    upstreamStatus: undefined,
  });
}

/** The gateway's own calls are charged to nobody, even if they are abandoned. */
export function ofNobody(work: Work): Work {
  return {
    ...work,
    abandoned(estimate, of, before) {
      if (before === undefined) work.count(estimate, of);
    },
  };
}
