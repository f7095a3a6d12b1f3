/**
 * The headers of every call to a vendor. What a plugin sends of its own overrides what the routing file adds.
 * Nothing here knows a vendor; a header that only one has is that plugin's.
 */

/**
 * A routing file's further headers in lower case, so that ours override them instead of duplicating them.
 * @param own in lower case; what is undefined is left out
 */
export function headersOf(
  further: Readonly<Record<string, string>> | undefined,
  own: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(further ?? {})) headers[name.toLowerCase()] = value;
  for (const [name, value] of Object.entries(own)) if (value !== undefined) headers[name] = value;
  return headers;
}
