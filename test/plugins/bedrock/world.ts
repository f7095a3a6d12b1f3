/**
 * The bedrock plugin with variables, files, instance metadata and a clock from the test: for sources of credentials.
 */
import { expect } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import bedrock from "../../../plugins/bedrock/index";
import { callFor } from "../../../src/conformance/subject";
import type { Outside } from "../../../src/domain/outside";
import { createHost } from "../../../src/upstream/host";
import { fakeOutside } from "../../fake-outside";
import { bedrockVendor, REGION } from "../vendors/bedrock";

export const MODEL = "amazon.titan-embed-text-v2:0";
export const call = callFor({ model: MODEL }, ["one"]);

interface Sent {
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
}

export interface World {
  readonly options?: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** The instance's metadata service; left out: there is none. */
  readonly metadata?: Outside["fetch"];
  /** AWS's sources of credentials: Security Token Service, IAM Identity Center, a container's URL; left out: they do not answer. */
  readonly givers?: Outside["fetch"];
  readonly model?: Outside["fetch"];
}

export function open({ options = {}, environment = {}, files = {}, metadata, givers, model }: World) {
  const sent: Sent[] = [];
  const clock = fakeOutside({
    environment,
    readFile: async (path) => files[path],
    fetch: async (url, init) => {
      if (new URL(url).hostname === "169.254.169.254") {
        if (metadata) return metadata(url, init);
        throw new TypeError("no route to host");
      }
      if (isGiver(url)) {
        if (givers) return givers(url, init);
        throw new TypeError("no route to host");
      }
      sent.push({ url, headers: new Headers(init.headers), body: String(init.body) });
      return (model ?? bedrockVendor().fetch)(url, init);
    },
  });
  const provider = bedrock(createHost(clock.outside));
  const filled = Value.Default(provider.options, { region: REGION, ...options });
  expect([...Value.Errors(provider.options, filled)]).toEqual([]);
  return { upstream: provider.open(filled), sent, clock };
}

const isGiver = (url: string) =>
  /^(?:sts|portal\.sso|oidc)\.|^(?:169\.254\.170\.|localhost|127\.|pods\.)/.test(new URL(url).hostname);

/** Whose key a request was signed with. */
export const keyOf = ({ headers }: Sent) =>
  /Credential=([^/]+)/.exec(headers.get("authorization") ?? "")?.[1];
