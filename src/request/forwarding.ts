/**
 * Fields that no wire knows and no plugin of the route declares, where the dialect's policies send them on as they are: they go the way of
 * `extra_body`, under whose rules they were let in (src/dialects/openai.ts).
 */
import { changesVector } from "../dialects/vector-fields";
import { HINT_FIELDS } from "../domain/hints";
import type { EmbedRequest, Route } from "../domain/request";

export function forwardUnknown(request: EmbedRequest, { targets }: Route): EmbedRequest {
  const fields: [string, unknown][] = [];
  const undeclared: [string, unknown][] = [];
  for (const [name, value] of Object.entries(request.fields)) {
    // A field that changes the vector must be understood before it is sent on, so common vendor fields are never forwarded raw.
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
