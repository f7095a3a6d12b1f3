/**
 * Notices about routes in GET /admin/notices, `embedgate models` and the log, and how to fix them. A new one is a function here;
 * one that is not about a route's vectors goes into `noticesNow` in src/gateway.ts (recent traffic: src/admin/api/recent-notices.ts).
 */
import type { Assessed } from "./assess";

export interface SpaceNotice {
  readonly space: string;
  readonly provider: string;
  readonly model: string;
  /** The lowest cosine between a probe text's vector and the fingerprint's; -1 for other dimensions; null if nothing was compared. */
  readonly cosine: number | null;
  /** False if the route serves anyway. */
  readonly out_of_service: boolean;
  readonly message: string;
}

/**
 * How to fix a route that differs.
 * @param hasAgreed the route was in the space before
 */
export function adviceFor({ space, differsFrom }: Assessed, hasAgreed: boolean): string {
  if (differsFrom === "sibling" && hasAgreed)
    return `the route's vectors agreed before, so the provider changed the model behind the name: restore the previous one, or make the route a separate model. 'embedgate spaces show ${space}' shows what differs`;
  if (differsFrom === "sibling" || differsFrom === "rival")
    return `make the route a separate model; if it is only quantised, a lower agreement_min of the model accepts it. 'embedgate spaces show ${space}' shows what differs`;
  if (differsFrom === "carried")
    return "if the model was changed on purpose, export its fingerprint again to the file that space_fingerprints names; vectors stored before are in another space";
  return `if the model was changed on purpose, run 'embedgate spaces forget ${space}', and the next measurement becomes the reference; vectors stored before are in another space`;
}

/** Followed by more. */
export const lastAgreed = (at: number) =>
  `It last agreed at ${new Date(at).toISOString().slice(0, 19)}Z: texts that it embedded since then may need to be embedded again. `;

/** @param cosine the lowest cosine @param says what probably differs from the claimed space */
export const renamed = (claimed: string, space: string, cosine: number, says: string) =>
  `Its vectors differ from the embedding space '${claimed}' that it claims (lowest cosine ${cosine.toFixed(4)}: ${says}), so its space is called '${space}'. Set the model's 'space', or correct its name.`;

export const provisional = (space: string) =>
  `Only this route has been measured in the embedding space '${space}': its answers are marked as unverified until another route of the model agrees.`;

export const notUsedYet = (space: string) =>
  `The route is not used yet (unmeasured: refuse): no other route has been measured in the embedding space '${space}'. It serves once the model's first route answers and agrees.`;

/** @param limit how many tokens of a text the server reads */
export const cutsTexts = (limit: number, space: string) =>
  `The server silently truncates texts to ${limit} tokens: longer texts are not sent to it whole. Start it with a larger limit, or set max_input_tokens of the model in the routing file. After a change of the server, run 'embedgate spaces forget ${space}' and restart, so that it is measured again.`;

export const heldBack = (reason: string) =>
  `The route is not used yet: its vectors could not be compared with those of the model's other routes (${reason})`;

export const notMeasured = (reason: string) =>
  `The route's vectors could not be compared with those of the model's other routes (${reason})`;

export const addressFound = (url: string) =>
  `base_url has no path, so several URLs were tried: the provider's API was found at ${url}, and all calls go there. Set base_url with its path to have it taken as it is.`;

export const addressMissed = (tried: readonly string[], reason: string) =>
  `base_url has no path, and the provider's API is at none of the URLs tried (${tried.join(", ")}): set base_url with its path. They are tried again with each call. The first one's refusal: ${reason}`;
