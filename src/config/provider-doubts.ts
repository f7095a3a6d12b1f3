/**
 * Options of a provider that are possible but probably wrong: a base_url without a path, a file that is not there. A plugin's schema
 * says by a keyword which option is one: `needsPath`, `maybePath`. A new doubt is a keyword here, and in docs/plugins.md.
 */
import type { Host, Provider } from "../plugin";
import { asWritten, quoted } from "./expected";
import { below, type Problem } from "./problem";
import { isObjectSchema } from "./provider-shape";
import type { Tree } from "./tree";

export async function doubtsAbout(
  tree: Tree,
  pointer: string,
  { options, provider }: { readonly options: unknown; readonly provider: Provider },
  host: Pick<Host, "readFile">,
): Promise<Problem[]> {
  if (!isObjectSchema(provider.options) || typeof options !== "object" || options === null) return [];
  const doubts: Problem[] = [];
  for (const [name, schema] of Object.entries(provider.options.properties)) {
    const value: unknown = Reflect.get(options, name);
    const place = below(pointer, name);
    if (typeof value !== "string" || tree.missing.has(place)) continue;
    if (schema.needsPath === true && URL.canParse(value) && new URL(value).pathname === "/")
      doubts.push(tree.problem(place, "the URL has no path; most servers of this API need one, such as /v1"));
    if (
      schema.maybePath === true &&
      !value.trimStart().startsWith("{") &&
      (await host.readFile(value)) === undefined
    )
      doubts.push(
        tree.problem(
          place,
          // Text without a dot or a slash may be the secret itself, put in the wrong place.
          /[./\\]/.test(value)
            ? `the file ${quoted(asWritten(tree, place, value))} cannot be read; relative paths start at the folder that embedgate is started in`
            : "neither JSON nor the path of a file that can be read",
        ),
      );
  }
  return doubts;
}
