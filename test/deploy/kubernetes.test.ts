// What kubectl makes of the overlays: it is valid to the last field, its configuration is one that the daemon takes, and the
// paths of the two agree.

import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, type TestContext, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { type Config, loadConfig } from "../../src/server/config.ts";
import { debianTool } from "../support/debian-tool.ts";
import { typeErrors } from "../support/kubernetes-types.ts";

const ROOT = join(import.meta.dirname, "../..");
const FOLDER = join(ROOT, "deploy/kubernetes");
const BROKERS = ["base", "overlays/simulated", "overlays/native"];

const MOUNT = z.object({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() });
const CONTAINER = z.object({
  name: z.string(),
  args: z.array(z.string()).optional(),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })).optional(),
  securityContext: z.record(z.string(), z.unknown()),
  volumeMounts: z.array(MOUNT),
});
const POD = z.object({
  automountServiceAccountToken: z.boolean(),
  containers: z.tuple([
    CONTAINER.extend({
      livenessProbe: z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) }),
      readinessProbe: z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) }),
    }),
  ]),
  initContainers: z.array(CONTAINER),
  priorityClassName: z.string(),
  securityContext: z.object({ runAsUser: z.number(), runAsGroup: z.number(), runAsNonRoot: z.boolean() }),
  serviceAccountName: z.string(),
  terminationGracePeriodSeconds: z.number(),
  volumes: z.array(
    z.object({
      name: z.string(),
      configMap: z.object({ name: z.string() }).optional(),
      hostPath: z.object({ path: z.string(), type: z.string() }).optional(),
    }),
  ),
});
const OBJECT = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});

/** Source: API reference of monitoring.coreos.com/v1, PodMonitor; the fields that are used, and no others. */
const POD_MONITOR = z.strictObject({
  apiVersion: z.literal("monitoring.coreos.com/v1"),
  kind: z.literal("PodMonitor"),
  metadata: z.strictObject({ name: z.string(), namespace: z.string(), labels: z.record(z.string(), z.string()) }),
  spec: z.strictObject({
    selector: z.strictObject({ matchLabels: z.record(z.string(), z.string()) }),
    podMetricsEndpoints: z.array(
      z.strictObject({
        port: z.string(),
        path: z.string(),
        interval: z.string().regex(/^\d+[ms]$/),
        relabelings: z.array(
          z.strictObject({
            sourceLabels: z.array(z.string()).optional(),
            targetLabel: z.string(),
            replacement: z.string().optional(),
          }),
        ),
      }),
    ),
  }),
});

type KubernetesObject = z.output<typeof OBJECT>;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kubernetes-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function built(context: TestContext, overlay: string): KubernetesObject[] {
  const args = ["kustomize", join(FOLDER, overlay)];
  const { status, stderr, stdout } = debianTool(context, "kubectl", { from: "kubernetes-client", args });
  expect(status, stderr).toBe(0);
  return parseAllDocuments(stdout).map((document) => OBJECT.parse(document.toJS()));
}

function ofKind(objects: readonly KubernetesObject[], kind: string): KubernetesObject {
  const found = objects.filter((object) => object.kind === kind);
  expect(found).toHaveLength(1);
  return OBJECT.parse(found[0]);
}

function podOf(objects: readonly KubernetesObject[]): z.output<typeof POD> {
  const { spec } = z
    .object({ spec: z.object({ template: z.object({ spec: POD }) }) })
    .parse(ofKind(objects, "DaemonSet"));
  return spec.template.spec;
}

/** The file in the ConfigMap, as the daemon reads it. */
function configOf(objects: readonly KubernetesObject[]): Config {
  const { data } = z.object({ data: z.record(z.string(), z.string()) }).parse(ofKind(objects, "ConfigMap"));
  const file = join(directory, "config.yaml");
  writeFileSync(file, data["config.yaml"] ?? "");
  const loaded = loadConfig({ file, environment: {}, assignments: [] });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

describe.for(BROKERS)("%s", (overlay) => {
  test("builds objects of which every field is one that Kubernetes knows", (context) => {
    const objects = built(context, overlay);
    const kinds = objects.map(({ kind }) => kind).toSorted();
    expect(kinds).toEqual(["ConfigMap", "DaemonSet", "Namespace", "NetworkPolicy", "ServiceAccount"]);
    expect(typeErrors(objects)).toEqual(objects.map(() => []));
    for (const { kind, metadata } of objects) if (kind !== "Namespace") expect(metadata.namespace).toBe("iommu-broker");
  });

  test("gives the daemon a configuration that it takes, where it looks for it", (context) => {
    const objects = built(context, overlay);
    const config = configOf(objects);
    expect(config.backend).toBe(overlay.endsWith("native") ? "iommufd" : "simulated");
    const {
      containers: [daemon],
      volumes,
    } = podOf(objects);
    const file = daemon.args?.[1] ?? "";
    const mount = daemon.volumeMounts.find(({ mountPath }) => mountPath === dirname(file));
    const volume = volumes.find(({ name }) => name === mount?.name);
    expect(daemon.args?.[0]).toBe("--config");
    expect(mount?.readOnly).toBe(true);
    expect(volume?.configMap?.name).toBe(ofKind(objects, "ConfigMap").metadata.name);
  });

  test("mounts the directory of every path in the configuration, from the same path of the host", (context) => {
    const objects = built(context, overlay);
    const { admin, fdSocket, listen, memoryRoots, stateDirectory } = configOf(objects);
    const {
      containers: [daemon],
      initContainers,
      volumes,
    } = podOf(objects);
    const sockets = [listen.socket, fdSocket, admin.socket].map((path) => dirname(path ?? "off"));
    const wanted = [...sockets, ...memoryRoots.map(({ path }) => path), stateDirectory];
    for (const container of [daemon, ...initContainers]) {
      const mounted = container.volumeMounts.flatMap(({ mountPath, name }) => {
        const path = volumes.find((volume) => volume.name === name)?.hostPath?.path;
        return path === mountPath ? [path] : [];
      });
      for (const path of wanted) expect(mounted, container.name).toContain(path);
    }
    // A socket that is mounted itself stays the old one after a restart.
    for (const { hostPath } of volumes) if (hostPath) expect(hostPath.type).toMatch(/^Directory/);
  });

  test("probes and names the port on which the daemon serves them", (context) => {
    const objects = built(context, overlay);
    const { metrics } = configOf(objects);
    const {
      containers: [daemon],
    } = podOf(objects);
    const port = daemon.ports?.find(({ name }) => name === "metrics");
    expect(metrics.tcp).toEqual({ host: "0.0.0.0", port: port?.containerPort });
    expect(daemon.livenessProbe.httpGet).toEqual({ path: "/livez", port: port?.name });
    expect(daemon.readinessProbe.httpGet).toEqual({ path: "/readyz", port: port?.name });
  });

  test("has no token for the API server, and longer to stop than the daemon takes", (context) => {
    const objects = built(context, overlay);
    const pod = podOf(objects);
    expect(ofKind(objects, "ServiceAccount")).toMatchObject({ automountServiceAccountToken: false });
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.serviceAccountName).toBe(ofKind(objects, "ServiceAccount").metadata.name);
    expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(configOf(objects).timing.gracePeriodMs);
    expect(pod.priorityClassName).toBe("system-node-critical");
  });

  test("is privileged where the host's devices are, and else has no privilege at all", (context) => {
    const pod = podOf(built(context, overlay));
    const { securityContext } = pod.containers[0];
    expect(securityContext).toMatchObject({ readOnlyRootFilesystem: true });
    if (overlay.endsWith("native")) {
      expect(securityContext).toMatchObject({ privileged: true });
      return;
    }
    expect(securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
  });
});

test("the policy of the overlays lets the group in that the sockets belong to", (context) => {
  for (const overlay of ["overlays/simulated", "overlays/native"]) {
    const objects = built(context, overlay);
    const [rule] = configOf(objects).policyRules;
    expect(rule?.who).toEqual([{ fact: "gid", oneOf: [podOf(objects).securityContext.runAsGroup] }]);
  }
});

test("monitoring scrapes the pods' port, lets the scraper in, and brings the rules and every dashboard", (context) => {
  const objects = built(context, "overlays/monitoring");
  const monitor = POD_MONITOR.parse(ofKind(objects, "PodMonitor"));
  const daemonSet = z
    .object({ spec: z.object({ selector: z.unknown() }) })
    .parse(ofKind(built(context, "overlays/native"), "DaemonSet"));
  expect(monitor.spec.selector).toEqual(daemonSet.spec.selector);
  expect(monitor.spec.podMetricsEndpoints.map(({ port }) => port)).toEqual(["metrics"]);
  expect(ofKind(objects, "NetworkPolicy")).toMatchObject({
    spec: { ingress: [{ ports: [{ protocol: "TCP", port: 9401 }] }] },
  });
  const others = objects.filter(({ kind }) => kind !== "PodMonitor");
  expect(typeErrors(others)).toEqual(others.map(() => []));
  const files = others.flatMap(({ data }) => Object.keys(Object(data))).toSorted();
  const dashboards = globSync("*.json", { cwd: join(ROOT, "deploy/grafana/dashboards") });
  expect(files).toEqual([...dashboards, "alerts.yaml", "recording.yaml"].toSorted());
});

test("a field that there is not, in any depth, and a value of another kind are refused", (context) => {
  const good = ofKind(built(context, "base"), "DaemonSet");
  const bent = (from: string, to: string): KubernetesObject => {
    const text = JSON.stringify(good);
    expect(text).toContain(from);
    return OBJECT.parse(JSON.parse(text.replace(from, to)));
  };
  const told = typeErrors([
    bent('"hostPID"', '"hostPid"'),
    bent('"readOnlyRootFilesystem"', '"readOnlyRootFileSystem"'),
    bent('"periodSeconds":2', '"periodSeconds":"2"'),
    bent('"mountPath"', '"mountpath"'),
  ]);
  expect(told.map((errors) => errors.length > 0)).toEqual([true, true, true, true]);
});

test("every file there is part of what is built", () => {
  const yaml = (path: string): string => readFileSync(join(FOLDER, path), "utf8");
  const files = globSync("**/*.yaml", { cwd: FOLDER });
  expect(files.length).toBeGreaterThan(10);
  for (const file of files) {
    if (file.endsWith("kustomization.yaml")) continue;
    expect(yaml(join(dirname(file), "kustomization.yaml")), file).toContain(
      `- ${file.slice(dirname(file).length + 1)}`,
    );
  }
});
