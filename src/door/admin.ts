/**
 * HTTP handling of the Admin API: checks access, then calls the path's own work (src/admin/api/). No other origin's page gets an answer here, whatever
 * `server.cors` says: in open mode and by cookie its browser reveals it, and the only request that it could still send, a body without a JSON
 * content type, is refused.
 */
import { ADMIN_PREFIX, type AdminMethod } from "../admin/api/admin-path";
import type { AdminParts } from "../admin/api/parts";
import { ADMIN_PATHS } from "../admin/api/paths";
import { ACTORS } from "../books/audit";
import type { Operator } from "../callers/auth";
import { GatewayError } from "../domain/errors";
import type { Said, Speak, Visit } from "./parts";

export interface AdminPath {
  readonly method: AdminMethod;
  readonly path: string;
  readonly work: (visit: Visit, speak: Speak) => Promise<Said>;
}

/** @param operatorOf checks access, or throws @param bodyOf reads a small body as JSON */
export function adminPaths(
  parts: AdminParts,
  operatorOf: (request: Request, speak: Speak) => Promise<Operator>,
  bodyOf: (request: Request) => Promise<unknown>,
): readonly AdminPath[] {
  return ADMIN_PATHS.map(({ method, path, does }) => ({
    method,
    path,
    async work({ request, params }, speak) {
      const { caller, by } = await operatorOf(request, speak);
      return does(
        {
          request,
          params,
          search: new URL(request.url).searchParams,
          body() {
            refuseOtherContent(request);
            return bodyOf(request);
          },
          operator: { actor: caller.keyId ?? ACTORS.open, keyId: caller.keyId, by },
        },
        parts,
      );
    },
  }));
}

/** Whether a path belongs to the Admin API, so that no other origin's page is allowed to call it. */
export const isOfAdmin = (path: string) => path === ADMIN_PREFIX || path.startsWith(`${ADMIN_PREFIX}/`);

/** A page of another origin may send text or a form without a preflight, but not JSON. */
function refuseOtherContent({ headers }: Pick<Request, "headers">): void {
  if (headers.get("content-type") !== null) return;
  throw new GatewayError(
    "wrong_media_type",
    'The body has no content type: send "content-type: application/json".',
  );
}
