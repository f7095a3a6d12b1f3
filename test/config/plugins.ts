/**
 * Three small plugins for the tests of the routing file: their options are fixed here, whatever the bundled plugins support.
 * A case that needs another kind of option adds it to `openai`.
 */
import type { Plugin, Upstream } from "../../src/plugin";

const upstream: Upstream = { embed: async () => ({ vectors: [], tokens: 0, tokensSource: "counted" }) };

const local: Plugin = ({ t, provider }) =>
  provider({ id: "local", options: t.Object({}), open: () => upstream });

const openai: Plugin = ({ t, provider }) =>
  provider({
    id: "openai",
    serverFields: ["keep_alive", "options"],
    concurrency: 32,
    options: t.Object(
      {
        api_key: t.String({ minLength: 1 }),
        base_url: t.String({ default: "https://api.example/v1" }),
        organization: t.Optional(t.String()),
        strict: t.Optional(t.Boolean()),
        batch: t.Optional(t.Integer({ minimum: 1, maximum: 100 })),
        headers: t.Optional(t.Record(t.String(), t.String())),
      },
      { additionalProperties: false },
    ),
    open: () => upstream,
  });

const fake: Plugin = ({ t, provider }) =>
  provider({ id: "fake", options: t.Object({}), open: () => upstream });

export const TEST_PLUGINS = { local, openai, fake };
