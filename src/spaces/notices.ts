/**
 * What operators are told of spaces, in words: what was seen, and what mends it. A further case is a function here.
 */
import type { Assessed } from "./assess";

export interface SpaceNotice {
  readonly space: string;
  readonly provider: string;
  readonly model: string;
  /** The least cosine between a probe text's vector and the fingerprint's; -1 for another size; null where nothing was compared. */
  readonly cosine: number | null;
  /** False where it serves all the same. */
  readonly outOfService: boolean;
  readonly message: string;
}

/**
 * What would mend a route that differs.
 * @param hasAgreed it lay in the space before
 */
export function adviceFor({ space, differsFrom }: Assessed, hasAgreed: boolean): string {
  if (differsFrom === "sibling" && hasAgreed)
    return `the route's vectors agreed before, so the model behind its name was changed: put the one of before back, or make the route a model of its own. 'embedgate spaces show ${space}' shows what differs`;
  if (differsFrom === "sibling")
    return `make the route a model of its own; where only its numbers are coarser, a lower agreement_min of the model takes it. 'embedgate spaces show ${space}' shows what differs`;
  if (differsFrom === "carried")
    return "where the model was changed on purpose, export its fingerprint anew to the file that space_fingerprints names; vectors stored before are of another space";
  return `where the model was changed on purpose, 'embedgate spaces forget ${space}' takes it as it is now; vectors stored before are of another space`;
}

/** @param cosine the least, and @param says what probably differs, from the space that is claimed */
export const renamed = (claimed: string, space: string, cosine: number, says: string) =>
  `Its vectors are not those of the embedding space '${claimed}' that it claims (least cosine ${cosine.toFixed(4)}: ${says}), so its space is called '${space}'. Give the model a 'space' of its own, or its right name.`;

export const provisional = (space: string) =>
  `What the embedding space '${space}' is, only this route has said so far: its answers are marked as unverified until another route of the model agrees.`;

export const notUsedYet = (space: string) =>
  `The route is not used yet (unmeasured: refuse): what the embedding space '${space}' is, only this route has said so far. It serves once the model's first route answers and agrees.`;

/** @param limit the tokens of a text that the server looks at */
export const cutsTexts = (limit: number, space: string) =>
  `The server looks at the first ${limit} tokens of a text and says nothing of the rest: longer texts are not sent to it as they are. Start it with a larger limit, or say max_input_tokens for the model in the routing file. After a change of the server, 'embedgate spaces forget ${space}' and a restart have it tried anew.`;

export const heldBack = (reason: string) =>
  `The route is not used yet: its vectors could not be compared with those of the model's other routes (${reason})`;

export const notMeasured = (reason: string) =>
  `The route's vectors could not be compared with those of the model's other routes (${reason})`;
