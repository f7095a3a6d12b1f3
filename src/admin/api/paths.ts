/** All paths of the Admin API, and the schemas in its document. A new resource is a line in both lists. */
import type { TSchema } from "@sinclair/typebox";
import type { AdminPath } from "./admin-path";
import { AUDIT_PATHS, AUDIT_SCHEMAS } from "./audit";
import { CREDIT_PATHS, CREDIT_SCHEMAS } from "./credits";
import { GATEWAY_PATHS, GATEWAY_SCHEMAS } from "./gateway";
import { INVOICE_PATHS, INVOICE_SCHEMAS } from "./invoices";
import { KEY_PATHS, KEY_SCHEMAS } from "./keys";
import { MODEL_PATHS, MODEL_SCHEMAS } from "./models";
import { NOTICE_PATHS, NOTICE_SCHEMAS } from "./notices";
import { REQUEST_PATHS, REQUEST_SCHEMAS } from "./requests";
import { ROUTE_PATHS, ROUTE_SCHEMAS } from "./routes";
import { SERIES_PATHS, SERIES_SCHEMAS } from "./series";
import { SESSION_PATHS, SESSION_SCHEMAS } from "./session";
import { SPACE_PATHS, SPACE_SCHEMAS } from "./spaces";
import { USAGE_PATHS, USAGE_SCHEMAS } from "./usage";
import { WORKSPACE_PATHS, WORKSPACE_SCHEMAS } from "./workspaces";

export const ADMIN_PATHS: readonly AdminPath[] = [
  ...GATEWAY_PATHS,
  ...SESSION_PATHS,
  ...NOTICE_PATHS,
  ...ROUTE_PATHS,
  ...SERIES_PATHS,
  ...USAGE_PATHS,
  ...REQUEST_PATHS,
  ...KEY_PATHS,
  ...WORKSPACE_PATHS,
  ...CREDIT_PATHS,
  ...INVOICE_PATHS,
  ...MODEL_PATHS,
  ...SPACE_PATHS,
  ...AUDIT_PATHS,
];

export const ADMIN_SCHEMAS: Readonly<Record<string, TSchema>> = Object.fromEntries(
  [
    ...GATEWAY_SCHEMAS,
    ...SESSION_SCHEMAS,
    ...NOTICE_SCHEMAS,
    ...ROUTE_SCHEMAS,
    ...SERIES_SCHEMAS,
    ...USAGE_SCHEMAS,
    ...REQUEST_SCHEMAS,
    ...KEY_SCHEMAS,
    ...WORKSPACE_SCHEMAS,
    ...CREDIT_SCHEMAS,
    ...INVOICE_SCHEMAS,
    ...MODEL_SCHEMAS,
    ...SPACE_SCHEMAS,
    ...AUDIT_SCHEMAS,
  ].map(({ name, schema }) => [name, schema]),
);

/** Its section in the OpenAPI document. */
export const ADMIN_TAG = {
  name: "admin",
  description: "For the gateway's operator: with an admin key, or in open mode. See docs/admin-api.md.",
};
