/**
 * Forwards fields that no wire knows and no plugin of the route declares, if the dialect's policies allow it. They are handled like
 * `extra_body`, and admitted by the same rules (src/dialects/openai.ts).
 */
import { changesVector } from "../dialects/vector-fields";
import { HINT_FIELDS } from "../domain/hints";
import type { EmbedRequest, Route } from "../domain/request";

export function forwardUnknown(request: EmbedRequest, { targets }: Route): EmbedRequest {
  const fields: [string, unknown][] = [];
  const undeclared: [string, unknown][] = [];
  for (const [name, value] of Object.entries(request.fields)) {
    // A field that changes the vector may be sent on only if it is understood, so common vendor fields are never forwarded unread.
    const declared =
      HINT_FIELDS.includes(name) ||
      changesVector(name) ||
      targets.some(({ provider }) => provider.accepts(name) !== undefined);
    (declared ? fields : undeclared).push([name, value]);
  }
  if (undeclared.length === 0) return request;
  return {
    ...request,
    fields: Object.fromEntries(fields),
    extraBody: { ...request.extraBody, ...Object.fromEntries(undeclared) },
  };
}
