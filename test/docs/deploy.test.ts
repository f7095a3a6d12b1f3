/**
 * deploy/ is valid: Kubernetes and Compose accept its files, the names in them exist, their timeouts fit the gateway's, and the gateway accepts
 * the routing file. haproxy and kubeconform are used if they are installed.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Static, TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { parse, parseAllDocuments } from "yaml";
import packageJson from "../../package.json";
import { PLUGINS } from "../../plugins/index";
import { loadConfig } from "../../src/config/load";
import { formatProblem } from "../../src/config/problem";
import { ServerSection } from "../../src/config/schema-server";
import { realOutside } from "../../src/network/real-outside";
import { createHost } from "../../src/upstream/host";
import { ROOT } from "./blocks";
import {
  Compose,
  Deployment,
  HorizontalPodAutoscaler,
  KINDS,
  Kustomization,
  PodDisruptionBudget,
  Secret,
} from "./kubernetes";

const FOLDER = join(ROOT, "deploy/kubernetes");
const text = (path: string) => readFileSync(join(ROOT, "deploy", path), "utf8");

function as<Schema extends TSchema>(schema: Schema, value: unknown): Static<Schema> {
  const breaches = [...Value.Errors(schema, value)].map(({ path, message }) => `${path}: ${message}`);
  expect(breaches).toEqual([]);
  if (!Value.Check(schema, value)) throw new Error("it is not of its schema");
  return value;
}

const kustomization = as(Kustomization, parse(text("kubernetes/kustomization.yaml")));
const objects: readonly { readonly kind: string; readonly metadata: { readonly name: string } }[] =
  kustomization.resources.flatMap((path) =>
    parseAllDocuments(text(`kubernetes/${path}`)).map((document) => document.toJS()),
  );
function one<Schema extends TSchema>(schema: Schema, kind: string, name = "embedgate"): Static<Schema> {
  return as(
    schema,
    objects.find((object) => object.kind === kind && object.metadata.name === name),
  );
}
const deployment = one(Deployment, "Deployment");
const [gateway = expect.unreachable()] = deployment.spec.template.spec.containers;
const secrets = one(Secret, "Secret").stringData;
const compose = as(Compose, parse(text("compose.yaml")));

const { drain_ms, grace_ms, deadline_ms, idle_timeout_ms } = ServerSection.properties;
const endingSeconds = (drain_ms.default + grace_ms.default) / 1_000;

describe("Kubernetes", () => {
  test.each(objects.map((object) => [`${object.kind} ${object.metadata.name}`, object] as const))(
    "%s is of its kind's schema",
    (_, object) => {
      as(KINDS[object.kind] ?? expect.unreachable(), object);
    },
  );

  test("every file is a resource in kustomization.yaml, and the other way round", () => {
    const files = readdirSync(FOLDER).filter(
      (name) => name.endsWith(".yaml") && name !== "kustomization.yaml",
    );
    expect(files.sort()).toEqual([...kustomization.resources].sort());
  });

  test("selectors match their pods, volumes and ports exist", () => {
    for (const object of objects) {
      if (object.kind === "Deployment") {
        const { spec } = as(Deployment, object);
        expect(spec.template.metadata.labels).toEqual(spec.selector.matchLabels);
        const { containers, volumes } = spec.template.spec;
        for (const { volumeMounts } of containers)
          expect(volumeMounts.map(({ name }) => name).sort()).toEqual(volumes.map(({ name }) => name).sort());
      }
    }
    const { matchLabels } = deployment.spec.selector;
    expect(one(PodDisruptionBudget, "PodDisruptionBudget").spec.selector.matchLabels).toEqual(matchLabels);
    for (const { readinessProbe, startupProbe, livenessProbe } of [gateway])
      for (const probe of [readinessProbe, startupProbe, livenessProbe])
        expect(probe).toMatchObject({ httpGet: { port: "http" } });
    expect(gateway.readinessProbe).toMatchObject({ httpGet: { path: "/readyz" } });
  });

  test("a pod gets time to shut down, and enough of them stay", () => {
    const preStop = Number(gateway.lifecycle?.preStop.exec.command[1]);
    const { terminationGracePeriodSeconds = 0 } = deployment.spec.template.spec;
    expect(terminationGracePeriodSeconds).toBeGreaterThan(preStop + endingSeconds + 5);
    const budget = one(PodDisruptionBudget, "PodDisruptionBudget").spec.minAvailable;
    const { minReplicas, metrics } = one(HorizontalPodAutoscaler, "HorizontalPodAutoscaler").spec;
    expect(budget).toBeLessThan(minReplicas);
    expect(deployment.spec.replicas).toBe(minReplicas);
    const named = metrics.flatMap((metric) => ("pods" in metric ? [metric.pods.metric.name] : []));
    expect(named).toEqual(["embedgate_requests_in_flight"]);
    expect(readFileSync(join(ROOT, "src/admin/metric-families.ts"), "utf8")).toContain(`name: "${named[0]}"`);
  });

  test("the routing file is mounted as a folder, so that a change of the ConfigMap is seen", () => {
    const [generated] = kustomization.configMapGenerator;
    const volume = deployment.spec.template.spec.volumes.find(({ configMap }) => configMap);
    expect(volume?.configMap?.name).toBe(generated?.name ?? "");
    const mount = gateway.volumeMounts.find(({ name }) => name === volume?.name);
    expect(gateway.args).toEqual(["serve", "--config", join(mount?.mountPath ?? "", "gateway.yaml")]);
    expect(kustomization.images[0]?.newTag).toBe(packageJson.version);
  });
});

/** The environment variables that a routing file needs. */
const variablesOf = (routing: string) =>
  [...routing.matchAll(/\$\{([A-Z_]+)\}/g)].map(([, name = ""]) => name);

describe("the routing file", () => {
  const routing = text(`kubernetes/${kustomization.configMapGenerator[0]?.files[0]}`);

  test("is valid, with the environment of both", async () => {
    const file = join(FOLDER, "routing/gateway.yaml");
    const environment = { ...secrets, DATABASE_URL: "sqlite::memory:" };
    const loaded = await loadConfig({
      file,
      folder: dirname(file),
      environment,
      host: (connection) => createHost(realOutside, undefined, connection),
      now: realOutside.now(),
      bundled: PLUGINS,
    });
    if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join("\n"));
    expect(loaded.notes).toEqual([]);
    expect(loaded.config.shared).toMatchObject({ limits: secrets.LIMITS_URL, cache: secrets.CACHE_URL });
    const missing = [...loaded.config.providers.values()].flatMap((provider) => provider.missing_variables);
    expect(missing).toEqual([]);
  });

  test("finds its variables in the Secret, and in Compose", () => {
    const asked = variablesOf(routing);
    expect(asked.length).toBeGreaterThan(3);
    expect(asked.filter((name) => secrets[name] === undefined)).toEqual([]);
    expect(asked.filter((name) => compose.services.gateway?.environment?.[name] === undefined)).toEqual([]);
  });
});

describe("Compose", () => {
  test("has three gateways with time to shut down, and all files that it names", () => {
    const { gateway: service, balancer } = compose.services;
    expect(service?.deploy?.replicas).toBe(3);
    expect(Number.parseInt(service?.stop_grace_period ?? "", 10)).toBeGreaterThan(endingSeconds);
    expect(service?.command?.slice(0, 2)).toEqual(["serve", "--config"]);
    expect(service?.volumes).toEqual(["./kubernetes/routing:/etc/embedgate:ro"]);
    expect(balancer?.volumes?.[0]).toStartWith("./haproxy.cfg:");
    for (const dependency of Object.keys(service?.depends_on ?? {}))
      expect(Object.keys(compose.services)).toContain(dependency);
    const asked = [...text("compose.yaml").matchAll(/\$\{([A-Z0-9_]+):/g)].map(([, name = ""]) => name);
    const given = text("env.example")
      .split("\n")
      .map((line) => line.split("=")[0] ?? "");
    expect([...new Set(asked)].filter((name) => !given.includes(name))).toEqual([]);
  });

  test("the load balancer's timeouts fit the gateway's", () => {
    const seconds = (name: string) => {
      const line = text("haproxy.cfg")
        .split("\n")
        .find((one) => one.trim().startsWith(`timeout ${name} `));
      return Number.parseInt(line?.trim().split(" ")[2] ?? "", 10);
    };
    expect(seconds("server")).toBeGreaterThan(deadline_ms.default / 1_000);
    expect(seconds("http-keep-alive")).toBeLessThan(idle_timeout_ms.default / 1_000);
    expect(text("haproxy.cfg")).toContain("GET uri /readyz");
    // A request that was sent may have been paid for.
    expect(text("haproxy.cfg")).toContain("retry-on conn-failure\n");
  });

  test.skipIf(Bun.which("haproxy") === null)("haproxy takes its file", () => {
    const { exitCode, stderr } = Bun.spawnSync(["haproxy", "-c", "-f", join(ROOT, "deploy/haproxy.cfg")]);
    expect([exitCode, stderr.toString().includes("ALERT")]).toEqual([0, false]);
  });
});
