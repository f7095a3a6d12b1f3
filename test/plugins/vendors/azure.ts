/**
 * Azure OpenAI's two paths before OpenAI's wire: a key in its own header, deployments for models, its messages for what does not exist.
 * Sources: Azure/azure-rest-api-specs (inference, 2024-10-21); envoyproxy/ai-gateway's table of reply names; "DeploymentNotFound" and the
 * words for a wrong key as in Significant-Gravitas/AutoGPT#1906 and langchain-ai/langchain#4925.
 */
import type { Vendor } from "../conformance";
import { OPENAI_KEY, openaiVendor } from "./openai-wire";

export const AZURE_KEY = "0d3fe1ab54c94e2b8a7719c6f2d0b4e8";
export const RESOURCE = "https://acme-search.openai.azure.com";
const VERSIONS = ["2023-05-15", "2024-06-01", "2024-10-21", "2025-03-01-preview"];
/** A deployment's name is whatever its owner gave it. */
const DEPLOYMENTS: Readonly<Record<string, string>> = {
  "text-embedding-3-small": "text-embedding-3-small",
  "text-embedding-3-large": "text-embedding-3-large",
  "text-embedding-ada-002": "text-embedding-ada-002",
  "our-small": "text-embedding-3-small",
};

export function azureVendor(model = "text-embedding-3-small"): Vendor {
  const openai = openaiVendor(DEPLOYMENTS[model]);
  return {
    ...openai,
    fetch: (url, init) => respond(openai, url, init),
    errorBody: (message) => JSON.stringify({ error: { code: "400", message } }),
  };
}

const refusal = (status: number, code: string, message: string) =>
  Response.json({ error: { code, message } }, { status });

async function respond(openai: Vendor, url: string, init: RequestInit): Promise<Response> {
  const { origin, pathname, searchParams } = new URL(url);
  const version = searchParams.get("api-version");
  const classic = /^\/openai\/deployments\/([^/]+)\/embeddings$/.exec(pathname)?.[1];
  const isV1 =
    pathname === "/openai/v1/embeddings" && (version === null || ["v1", "preview"].includes(version));
  const isClassic = classic !== undefined && version !== null && VERSIONS.includes(version);
  if (origin !== RESOURCE || init.method !== "POST" || (!isV1 && !isClassic))
    return refusal(404, "404", "Resource not found");
  const headers = new Headers(init.headers);
  // Entra's token, and, on the v1 path, a key as the SDK for OpenAI itself sends it.
  const given = headers.get("api-key") ?? /^Bearer (.+)$/.exec(headers.get("authorization") ?? "")?.[1];
  if (given !== AZURE_KEY) {
    return refusal(
      401,
      "401",
      "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
    );
  }
  const body: unknown = JSON.parse(String(init.body));
  const { model, ...asked } = Object(body);
  // input_type is in Azure's own schema.
  const { input_type: _, ...rest } = asked;
  const deployment = isClassic ? decodeURIComponent(classic) : String(model);
  const deployed = Object.hasOwn(DEPLOYMENTS, deployment) ? DEPLOYMENTS[deployment] : undefined;
  if (deployed === undefined) {
    return refusal(
      404,
      "DeploymentNotFound",
      "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.",
    );
  }
  const answered = await openai.fetch("https://api.openai.com/v1/embeddings", {
    ...init,
    headers: { "content-type": headers.get("content-type") ?? "", authorization: `Bearer ${OPENAI_KEY}` },
    body: JSON.stringify({ model: deployed, ...rest }),
  });
  const text = await answered.text();
  return new Response(text.replace('"text-embedding-ada-002-v2"', '"text-embedding-ada-002-2"'), {
    status: answered.status,
    headers: { "content-type": "application/json", "apim-request-id": "3b6f", "x-ms-region": "West Europe" },
  });
}
