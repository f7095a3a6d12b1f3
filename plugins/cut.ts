/**
 * For servers that truncate long texts on request, but do not say which ones: truncation is requested only after the server refused the call,
 * so that every truncated text is known. Nothing here is specific to a vendor; each plugin says how its API asks for truncation.
 */
import type { EmbedCall, EmbedReply, Explanation, Host, Posted } from "../src/plugin";

export type Explain = (refusal: Posted) => Explanation | undefined;

/**
 * @param ask sends one request; `mayCut` asks the server to truncate, `explain` is passed to host.post
 * @param explain the plugin's own; `input_too_long` leads to a second request, where the call allows truncation
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
    // The call is split in halves until the text is alone, so that it is known which one is too long.
    if (call.inputs.length > 1) throw host.failure("too_many_tokens", "One of several texts is too long.");
    return { ...(await ask(true, explain)), truncated: [0] };
  }
}
