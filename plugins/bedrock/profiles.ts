/**
 * The profiles in the two files that AWS's own tools share: `~/.aws/config` and `~/.aws/credentials`, which overrides the other.
 * Source: docs.aws.amazon.com/sdkref/latest/guide/file-format.html
 */
import type { Host } from "../../src/plugin";
import { homeOf } from "./keys";

export type Section = ReadonlyMap<string, string>;

export interface Profiles {
  readonly byName: ReadonlyMap<string, Section>;
  /** `[sso-session NAME]` of the config file. */
  readonly sessions: ReadonlyMap<string, Section>;
}

export async function readProfiles(host: Pick<Host, "variable" | "readFile">): Promise<Profiles> {
  const folder = `${homeOf(host)}/.aws`;
  const config = await host.readFile(host.variable("AWS_CONFIG_FILE") ?? `${folder}/config`);
  const keys = await host.readFile(host.variable("AWS_SHARED_CREDENTIALS_FILE") ?? `${folder}/credentials`);
  const byName = new Map<string, Map<string, string>>();
  const sessions = new Map<string, Map<string, string>>();
  for (const [heading, section] of sectionsOf(config ?? "")) {
    const [kind = ""] = heading.split(/\s/, 1);
    const name = heading.slice(kind.length).trim().replaceAll(/["']/g, "");
    if (kind === "sso-session") merge(sessions, name, section);
    else if (kind === "profile") merge(byName, name, section);
    else if (heading === "default") merge(byName, heading, section);
  }
  for (const [name, section] of sectionsOf(keys ?? "")) merge(byName, name, section);
  return { byName, sessions };
}

function merge(into: Map<string, Map<string, string>>, name: string, section: Section): void {
  const known = into.get(name) ?? new Map<string, string>();
  for (const [key, value] of section) known.set(key, value);
  into.set(name, known);
}

/** `[name]` and lines of `key = value`; signs after `#` or `;` at a line's start are a comment. */
function sectionsOf(text: string): [string, Section][] {
  const sections: [string, Map<string, string>][] = [];
  for (const line of text.split(/\r?\n/)) {
    const heading = /^\s*\[([^\]]*)\]/.exec(line)?.[1];
    if (heading !== undefined) {
      sections.push([heading.trim(), new Map()]);
      continue;
    }
    const at = line.indexOf("=");
    const key = line.slice(0, Math.max(0, at)).trim().toLowerCase();
    if (/^[a-z_]+$/.test(key)) sections.at(-1)?.[1].set(key, line.slice(at + 1).trim());
  }
  return sections;
}
