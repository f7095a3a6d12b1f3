/**
 * Servers that truncate long texts on request, but do not say which: they are asked to only where they first refused the call,
 * so that every cut is known. Nothing here knows a vendor; how a wire says "cut" is its plugin's.
 */
import type { EmbedCall, EmbedReply, Explanation, Host, Posted } from "../src/plugin";

export type Explain = (refusal: Posted) => Explanation | undefined;

/**
 * @param ask one request; `mayCut` is what it says of texts too long, `explain` what it hands to host.post
 * @param explain the wire's own: `input_too_long` is what makes a second request, where the call allows a cut
 */
export async function cutWhereRefused(
  host: Host,
  call: EmbedCall,
  explain: Explain,
  ask: (mayCut: boolean, explain: Explain) => Promise<EmbedReply>,
): Promise<EmbedReply> {
  let isTooLong = false;
  try {
    return await ask(false, (refusal) => {
      const explanation = explain(refusal);
      isTooLong = explanation?.kind === "input_too_long";
      return explanation;
    });
  } catch (refused) {
    if (!isTooLong || call.longInput !== "truncate") throw refused;
    // The call is halved until the text is alone, so it is known which one.
    if (call.inputs.length > 1) throw host.failure("too_many_tokens", "One of several texts is too long.");
    return { ...(await ask(true, explain)), truncated: [0] };
  }
}
