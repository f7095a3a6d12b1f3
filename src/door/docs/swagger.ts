/**
 * Serves the document at /swagger/json and its page at /swagger. Everything that the page loads is in the executable, so it works
 * without a network. src/door/docs/operations.ts has the document's contents.
 */
import { swagger } from "@elysiajs/swagger";
import { Elysia } from "elysia";
import stylePath from "swagger-ui-dist/swagger-ui.css" with { type: "file" };
import scriptPath from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import packageJson from "../../../package.json";
import { CSRF_HEADER, SESSION_COOKIE } from "../../callers/sessions";
import type { Policies } from "../../domain/policies";
import { documentSchemas, pathsOf, TAGS } from "./operations";

/** Public paths: reading the page needs no key, only trying a call does. */
const PAGE = "/swagger";
const SCRIPT = `${PAGE}/page.js`;
const STYLE = `${PAGE}/page.css`;
const ROUTING_FILE = `${PAGE}/routing-file.json`;

/**
 * TypeBox writes JSON Schema as in OpenAPI 3.1 (`const`, `examples`); the package's default is 3.0.3, for which the
 * document would be invalid. Its type knows 3.0 only, hence the unlisted key.
 */
const documentationOf = (policies: () => Policies) => ({
  openapi: "3.1.0",
  info: {
    title: "embedgate",
    version: packageJson.version,
    description:
      "An embeddings gateway: one API over every provider and model, in the dialect your programs already speak.",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  servers: [{ url: "/" }],
  tags: TAGS,
  /** Read for each request: a reload may change the dialect. */
  get paths() {
    return pathsOf(policies());
  },
  get components() {
    return { securitySchemes, schemas: documentSchemas(policies()) };
  },
});

const securitySchemes = {
  session: {
    type: "apiKey" as const,
    in: "cookie",
    name: SESSION_COOKIE,
    description: `The cookie of POST /admin/v1/session, for the dashboard. Changes must also send the session's token in the header ${CSRF_HEADER}.`,
  },
  bearer: {
    type: "http" as const,
    scheme: "bearer",
    description:
      "A key of 'embedgate keys create'. Needed once a key exists; before, callers on this machine need none. The headers x-api-key, api-key and x-goog-api-key, and ?key= in the address, are read as well.",
  },
};

/**
 * The package's page loads one script from the URL in `scalarCDN`. It is set to this one: Swagger UI (Apache-2.0), which, unlike
 * the package's default, contacts no external server for fonts, proxies or telemetry.
 */
const START_PAGE = `
const style = document.head.appendChild(document.createElement("link"));
style.rel = "stylesheet";
style.href = "${STYLE}";
document.body.appendChild(document.createElement("div")).id = "document";
SwaggerUIBundle({ url: "${PAGE}/json", dom_id: "#document", deepLinking: true, tryItOutEnabled: true, validatorUrl: null });
`;

/**
 * @param policies the gateway's current ones
 * @param fileSchema the routing file's, for editors
 */
export function docs(policies: () => Policies, fileSchema: () => object) {
  return new Elysia({ name: "docs" })
    .use(
      swagger({
        path: PAGE,
        provider: "scalar",
        scalarCDN: SCRIPT,
        scalarConfig: { spec: { url: `${PAGE}/json` }, customCss: "" },
        documentation: documentationOf(policies),
      }),
    )
    .get(SCRIPT, async () => asset((await Bun.file(scriptPath).text()) + START_PAGE, "text/javascript"), {
      detail: { hide: true },
    })
    .get(ROUTING_FILE, () => asset(JSON.stringify(fileSchema()), "application/schema+json"), {
      detail: { hide: true },
    })
    .get(STYLE, async () => asset(await Bun.file(stylePath).text(), "text/css"), { detail: { hide: true } });
}

function asset(text: string, mediaType: string): Response {
  return new Response(text, {
    headers: { "content-type": `${mediaType}; charset=utf-8`, "cache-control": "public, max-age=3600" },
  });
}
