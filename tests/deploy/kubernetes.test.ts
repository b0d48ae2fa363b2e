import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { type ConfigError, loadConfig, parseDuration, variableName } from '../../src/config.ts';
import { read, root } from './files.ts';

const folder = 'deploy/kubernetes';
// Manifests are looked into freely; their schemas are another matter.
// biome-ignore lint: manifests are checked by the tests
type Manifest = Record<string, any>;
const files = readdirSync(join(root, folder)).filter((name) => name.endsWith('.yaml'));
const manifests = new Map<string, Manifest>();
for (const file of files) {
  const manifest = parse(read(`${folder}/${file}`)) as Manifest;
  manifests.set(manifest['kind'], manifest);
}
const manifest = (kind: string): Manifest => {
  const found = manifests.get(kind);
  if (found === undefined) throw new Error(`there is no ${kind}`);
  return found;
};
const deployment = manifest('Deployment');
const pod = deployment['spec'].template.spec as Manifest;
const container = pod['containers'][0] as Manifest;
const settings = manifest('ConfigMap')['data'] as Record<string, string>;
const port = 15006;

test('the kustomization has every manifest but the example of a Secret, and the version of the package', () => {
  const { resources, images } = manifest('Kustomization') as { resources: string[]; images: Manifest[] };
  const others = files.filter((name) => name !== 'kustomization.yaml' && name !== 'secret.example.yaml');
  expect(new Set(resources)).toEqual(new Set(others));
  const { version } = JSON.parse(read('package.json')) as { version: string };
  expect(images).toMatchObject([{ name: container['image'], newTag: version }]);
});

test('everything that selects pods selects those of the Deployment', () => {
  const labels = deployment['spec'].template.metadata.labels as object;
  const selectors = [
    deployment['spec'].selector.matchLabels,
    manifest('Service')['spec'].selector,
    manifest('PodDisruptionBudget')['spec'].selector.matchLabels,
    manifest('NetworkPolicy')['spec'].podSelector.matchLabels,
    pod['topologySpreadConstraints'][0].labelSelector.matchLabels,
  ];
  for (const selector of selectors) expect(selector).toEqual(labels);
  expect(manifest('HorizontalPodAutoscaler')['spec'].scaleTargetRef).toMatchObject({
    kind: 'Deployment',
    name: deployment['metadata'].name,
  });
});

test('pods are told from outside to drain, with time for it', () => {
  const preStopSeconds = Number(container['lifecycle'].preStop.exec.command[1]);
  const shutdownSeconds = parseDuration(settings['SHUTDOWN_TIMEOUT'] as string) / 1000;
  expect(pod['terminationGracePeriodSeconds']).toBeGreaterThan(preStopSeconds + shutdownSeconds);
  expect(container['livenessProbe'].httpGet).toEqual({ path: '/health', port: 'http' });
  expect(container['startupProbe'].httpGet).toEqual({ path: '/health', port: 'http' });
  expect(container['readinessProbe'].httpGet).toEqual({ path: '/ready', port: 'http' });
});

test('pods run as nobody in particular, on a read-only file system, without capabilities or a token of the cluster', () => {
  expect(pod).toMatchObject({
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
  });
  expect(read('Dockerfile')).toMatch(/^USER 1000:1000$/m);
  expect(container['securityContext']).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  expect(container['resources']).toMatchObject({ requests: { cpu: '500m' }, limits: { memory: '1Gi' } });
});

test('the port is that of the image, and the network policy lets it in', () => {
  expect(read('Dockerfile')).toMatch(new RegExp(`PORT=${port}`));
  expect(container['ports']).toEqual([{ name: 'http', containerPort: port, protocol: 'TCP' }]);
  expect(manifest('Service')['spec'].ports).toMatchObject([{ targetPort: 'http' }]);
  expect(manifest('NetworkPolicy')['spec'].ingress[0].ports).toEqual([{ protocol: 'TCP', port }]);
});

test('settings exist and are accepted, and the connections of all pods together are the number that is given for them', () => {
  const known = new Set(Object.keys(loadConfig({})).map(variableName));
  expect(Object.keys(settings).filter((name) => !known.has(name))).toEqual([]);
  const { pgPoolMax } = loadConfig(settings);
  const { maxReplicas } = manifest('HorizontalPodAutoscaler')['spec'];
  const most = maxReplicas * (pgPoolMax + 6);
  expect(read(`${folder}/configmap.yaml`)).toContain(`${maxReplicas} pods x (${pgPoolMax} + 6) = ${most}`);
});

test('the example of a Secret holds nothing that a server would start with', () => {
  const { stringData } = manifest('Secret') as { stringData: Record<string, string> };
  let faults: readonly string[] = [];
  try {
    loadConfig(stringData);
  } catch (error) {
    faults = (error as ConfigError).faults;
  }
  expect(faults.map((fault) => fault.split(' ')[0] as string).toSorted()).toEqual(Object.keys(stringData).toSorted());
});

test('the autoscaler goes by a metric that the server has', () => {
  const metrics = manifest('HorizontalPodAutoscaler')['spec'].metrics as Manifest[];
  const [name] = metrics.filter(({ type }) => type === 'Pods').map(({ pods }) => pods.metric.name as string);
  expect(read('docs/statistics.md')).toContain(`| \`${name}\` | gauge |`);
});
