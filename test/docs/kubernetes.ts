/**
 * The part of Kubernetes' API that deploy/kubernetes uses, as closed schemas: a field that is misspelt, or in the wrong place, is refused, as
 * `kubeconform -strict` does with Kubernetes' own schemas (1.34). A new field is a line here.
 */
import { type TProperties, type TSchema, Type } from "@sinclair/typebox";

const closed = { additionalProperties: false };
const some = <Properties extends TProperties>(properties: Properties) =>
  Type.Partial(Type.Object(properties, closed), closed);
const all = <Properties extends TProperties>(properties: Properties) => Type.Object(properties, closed);
const optional = Type.Optional;
const count = Type.Integer({ minimum: 0 });
const name = Type.String({ pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" });
const labels = Type.Record(Type.String(), Type.String(), { minProperties: 1 });
const selector = all({ matchLabels: labels });
const quantity = Type.String({ pattern: "^[0-9]+(m|Mi|Gi)?$" });
const port = Type.Union([name, Type.Integer({ minimum: 1, maximum: 65535 })]);

const times = {
  periodSeconds: optional(count),
  timeoutSeconds: optional(count),
  failureThreshold: optional(count),
};
const probe = Type.Union([
  all({ httpGet: all({ path: Type.String({ pattern: "^/" }), port }), ...times }),
  all({ tcpSocket: all({ port }), ...times }),
]);

const variable = all({
  name: Type.String(),
  valueFrom: all({ secretKeyRef: all({ name, key: Type.String() }) }),
});

const container = all({
  name,
  image: Type.String(),
  args: Type.Array(Type.String()),
  workingDir: optional(Type.String()),
  ports: Type.Array(all({ name, containerPort: Type.Integer() })),
  envFrom: optional(Type.Array(all({ secretRef: all({ name }) }))),
  env: optional(Type.Array(variable)),
  startupProbe: optional(probe),
  readinessProbe: probe,
  livenessProbe: optional(probe),
  lifecycle: optional(all({ preStop: all({ exec: all({ command: Type.Array(Type.String()) }) }) })),
  resources: all({
    requests: all({ cpu: quantity, memory: quantity }),
    limits: all({ memory: quantity }),
  }),
  securityContext: all({
    allowPrivilegeEscalation: Type.Literal(false),
    readOnlyRootFilesystem: Type.Literal(true),
    capabilities: all({ drop: Type.Array(Type.Literal("ALL")) }),
  }),
  volumeMounts: Type.Array(all({ name, mountPath: Type.String(), readOnly: optional(Type.Boolean()) })),
});

const pod = all({
  automountServiceAccountToken: Type.Literal(false),
  terminationGracePeriodSeconds: optional(count),
  securityContext: Type.Object(
    {
      runAsNonRoot: Type.Literal(true),
      runAsUser: count,
      runAsGroup: optional(count),
      fsGroup: optional(count),
      seccompProfile: all({ type: Type.Literal("RuntimeDefault") }),
    },
    closed,
  ),
  topologySpreadConstraints: optional(
    Type.Array(
      all({
        maxSkew: count,
        topologyKey: Type.String(),
        whenUnsatisfiable: Type.Union([Type.Literal("ScheduleAnyway"), Type.Literal("DoNotSchedule")]),
        labelSelector: selector,
      }),
    ),
  ),
  containers: Type.Array(container, { minItems: 1 }),
  volumes: Type.Array(
    all({ name, configMap: optional(all({ name })), emptyDir: optional(Type.Object({}, closed)) }),
  ),
});

const metadata = all({ name, labels: optional(labels) });
const kind = <Spec extends TProperties>(apiVersion: string, of: string, rest: Spec) =>
  all({ apiVersion: Type.Literal(apiVersion), kind: Type.Literal(of), metadata, ...rest });

export const Deployment = kind("apps/v1", "Deployment", {
  spec: all({
    replicas: count,
    selector,
    strategy: all({
      type: Type.Union([Type.Literal("RollingUpdate"), Type.Literal("Recreate")]),
      rollingUpdate: optional(all({ maxUnavailable: count, maxSurge: count })),
    }),
    template: all({ metadata: all({ labels }), spec: pod }),
  }),
});

export const Service = kind("v1", "Service", {
  spec: all({ selector: labels, ports: Type.Array(all({ name, port: Type.Integer(), targetPort: port })) }),
});

export const Secret = kind("v1", "Secret", {
  type: Type.Literal("Opaque"),
  stringData: Type.Record(Type.String({ pattern: "^[A-Z0-9_]+$" }), Type.String()),
});

export const PodDisruptionBudget = kind("policy/v1", "PodDisruptionBudget", {
  spec: all({ minAvailable: count, selector }),
});

export const HorizontalPodAutoscaler = kind("autoscaling/v2", "HorizontalPodAutoscaler", {
  spec: all({
    scaleTargetRef: all({
      apiVersion: Type.Literal("apps/v1"),
      kind: Type.Literal("Deployment"),
      name,
    }),
    minReplicas: count,
    maxReplicas: count,
    metrics: Type.Array(
      Type.Union([
        all({
          type: Type.Literal("Pods"),
          pods: all({
            metric: all({ name: Type.String() }),
            target: all({ type: Type.Literal("AverageValue"), averageValue: quantity }),
          }),
        }),
        all({
          type: Type.Literal("Resource"),
          resource: all({
            name: Type.Literal("cpu"),
            target: all({ type: Type.Literal("Utilization"), averageUtilization: count }),
          }),
        }),
      ]),
    ),
    behavior: all({ scaleDown: some({ stabilizationWindowSeconds: count }) }),
  }),
});

export const Kustomization = all({
  apiVersion: Type.Literal("kustomize.config.k8s.io/v1beta1"),
  kind: Type.Literal("Kustomization"),
  resources: Type.Array(Type.String()),
  configMapGenerator: Type.Array(
    all({
      name,
      files: Type.Array(Type.String()),
      options: all({ disableNameSuffixHash: Type.Literal(true) }),
    }),
  ),
  images: Type.Array(all({ name, newName: Type.String(), newTag: Type.String() })),
});

/** The same for docker compose. */
const dependency = all({
  condition: Type.Union([Type.Literal("service_healthy"), Type.Literal("service_started")]),
});
export const Compose = all({
  name,
  services: Type.Record(
    name,
    all({
      image: Type.String(),
      build: optional(all({ context: Type.String(), dockerfile: Type.String() })),
      command: optional(Type.Array(Type.String())),
      ports: optional(Type.Array(Type.String())),
      volumes: optional(Type.Array(Type.String())),
      environment: optional(Type.Record(Type.String(), Type.String())),
      deploy: optional(all({ replicas: count })),
      stop_grace_period: optional(Type.String({ pattern: "^[0-9]+s$" })),
      depends_on: optional(Type.Union([Type.Array(name), Type.Record(name, dependency)])),
      healthcheck: optional(
        all({ test: Type.Array(Type.String()), interval: Type.String(), retries: count }),
      ),
      restart: Type.Literal("unless-stopped"),
    }),
  ),
  volumes: Type.Record(name, Type.Object({}, closed)),
});

export const KINDS: Readonly<Record<string, TSchema>> = {
  Deployment,
  Service,
  Secret,
  PodDisruptionBudget,
  HorizontalPodAutoscaler,
};
