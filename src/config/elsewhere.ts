/**
 * Where a misplaced key belongs in the routing file: `retries` on a model, `space_probe` in one.
 * A new section is a line of SECTIONS; keys of single plugins are not searched.
 */
import type { TSchema } from "@sinclair/typebox";
import { CacheSection, MoneySection, RoutingFile } from "./schema";
import { AuthSection, JwtSection } from "./schema-auth";
import { FilesSection } from "./schema-files";
import { ModelEntry, RouteEntry } from "./schema-models";
import { ProviderCommon } from "./schema-provider";
import { ServerSection } from "./schema-server";
import { SharedServers } from "./schema-shared";
import { LogSection, TracingSection } from "./schema-telemetry";
import { WorkspaceSection } from "./schema-workspaces";

const SECTIONS: readonly (readonly [place: string, schema: TSchema])[] = [
  ["the file's top level", RoutingFile],
  ["server", ServerSection],
  ["auth", AuthSection],
  ["auth.jwt", JwtSection],
  ["cache", CacheSection],
  ["shared", SharedServers],
  ["files", FilesSection],
  ["money", MoneySection],
  ["log", LogSection],
  ["tracing", TracingSection],
  ["workspace_defaults", WorkspaceSection],
  ["providers.NAME", ProviderCommon],
  ["models.NAME", ModelEntry],
  ["models.NAME.routes[]", RouteEntry],
];

/** @returns the sections that have a key with that name, as text; undefined if none has */
export function placeOfKey(key: string): string | undefined {
  const places = SECTIONS.flatMap(([place, { properties }]) =>
    properties !== undefined && Object.hasOwn(properties, key) ? [place] : [],
  );
  return places.length === 0 ? undefined : places.join(" and ");
}
