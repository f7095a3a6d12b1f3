/**
 * The headers of every call to a vendor. A header that the plugin sets overrides the same header of the routing file.
 * Nothing here is specific to a vendor; a header that only one vendor has is in its plugin.
 */

/**
 * The routing file's `headers` in lower case, so that the plugin's own override them instead of duplicating them.
 * @param own names in lower case; an undefined value is left out
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
