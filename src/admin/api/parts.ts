/** What gateway.ts passes to the resources of the Admin API. Types only. A further part of the gateway that a resource needs is a member here. */
import type { Audit } from "../../books/audit";
import type { RequestPages } from "../../books/request-pages";
import type { Series } from "../../books/series";
import type { Statements } from "../../books/statements";

import type { Keys } from "../../callers/keys";
import type { Sessions } from "../../callers/sessions";
import type { WorkspaceNames } from "../../callers/workspace-names";
import type { Workspaces } from "../../callers/workspaces";
import type { GatewayConfig } from "../../config/gateway-config";
import type { Outside } from "../../domain/outside";
import type { Route } from "../../domain/request";
import type { Routes } from "../../routes/route";
import type { Fingerprints } from "../../spaces/fingerprints";
import type { SpaceNotice } from "../../spaces/notices";
import type { RouteRecords } from "../../spaces/records";
import type { Spaces } from "../../spaces/spaces";
import type { Stores } from "../../stores/stores";

export interface AdminParts {
  readonly keys: Keys;
  readonly workspaces: Workspaces;
  readonly workspaceNames: WorkspaceNames;
  readonly statements: Statements;
  readonly requests: RequestPages;
  readonly series: Series;
  readonly audit: Pick<Audit, "list">;
  readonly sessions: Sessions;
  readonly records: RouteRecords;
  readonly outside: Pick<Outside, "now" | "monotonic">;
  readonly versions: readonly [version: string, bun: string];
  readonly startedAt: number;
  readonly isTls: boolean;
  /** The following are current values: a reload changes them. */
  readonly config: () => GatewayConfig;
  readonly routes: () => Routes;
  readonly spaceOf: (route: Route) => ReturnType<Spaces["placeOf"]>;
  readonly notices: () => readonly SpaceNotice[];
  /** Including those of the routing file and the executable. */
  readonly fingerprints: () => Pick<Fingerprints, "find" | "list">;
  readonly isOpen: () => boolean;
  readonly requestsInFlight: () => number;
  readonly database: Pick<Stores, "size" | "check">;
  /** @returns whether there was one in the database */
  readonly forgetSpace: (space: string, actor: string) => Promise<boolean>;
}
