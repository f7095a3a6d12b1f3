/**
 * Runs the golden cases: cases/*.txt have a routing file above a line of dashes, and the expected messages below.
 * A new case is a new file. `# env NAME=value` lines are the environment; the messages are problems, or `ok` and a summary.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatProblem, type GatewayConfig } from "../../src/config/load";
import { makeFolder, told } from "./loading";

const LINE = "\n----------\n";
const CASES = join(import.meta.dir, "cases");

describe("the messages for a routing file are those of its case:", () => {
  const names = readdirSync(CASES).filter((name) => name.endsWith(".txt"));
  for (const name of names.sort()) {
    test(name.replace(".txt", "").replaceAll("-", " "), async () => {
      const [yaml = "", expected = ""] = readFileSync(join(CASES, name), "utf8").split(LINE);
      expect(await tell(yaml)).toBe(expected.trimEnd());
    });
  }

  test("there are enough of them to cover the format", () => {
    expect(names.length).toBeGreaterThanOrEqual(60);
  });
});

async function tell(yaml: string): Promise<string> {
  using folder = makeFolder();
  folder.write("gateway.yaml", yaml);
  const environment = Object.fromEntries(
    [...yaml.matchAll(/^# env (\w+)=(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
  const loaded = await folder.load({ environment });
  if (!loaded.ok) return told(loaded);
  const notes = loaded.notes.map((note) => `note: ${formatProblem(note)}`);
  return ["ok", ...summary(loaded.config, folder.path), ...notes].join("\n");
}

/** The parts of the configuration that a reader of a case wants to see; the folder is a new one each time. */
function summary(config: GatewayConfig, folder: string): string[] {
  const { server, auth, database } = config;
  const lines = [
    `server ${server.host}:${server.port} ${server.dialect} deadline ${server.deadline_ms} attempts ${server.max_attempts}${server.processes === 1 ? "" : ` in ${server.processes} processes`}`,
    `database ${database.path.replace(folder, ".")}, auth ${auth.mode}`,
  ];
  for (const {
    name,
    provider,
    options,
    timeout_ms,
    retries,
    concurrency,
    missing_variables,
  } of config.providers.values()) {
    const missing = missing_variables.length === 0 ? "" : ` missing ${missing_variables.join(", ")}`;
    lines.push(
      `provider ${name}: ${provider.id} ${JSON.stringify(options)} ${timeout_ms}/${retries}/${concurrency}${missing}`,
    );
  }
  for (const { id, alias_of, embeddings, space, facts, routes } of config.models.values()) {
    const ways = routes.map(
      (route) => `${route.provider} ${route.model}${route.space === undefined ? "" : ` in ${route.space}`}`,
    );
    const purpose =
      alias_of !== undefined ? `alias of ${alias_of}` : embeddings ? ways.join(" | ") : "cannot embed";
    const words = Object.keys(facts).length === 0 ? "" : ` ${JSON.stringify(facts)}`;
    lines.push(`model ${id}: ${purpose}${space === undefined ? "" : ` in ${space}`}${words}`);
  }
  return lines;
}
