import { readFileSync } from 'node:fs';

/** A version of a framework, and the tests that run on it. */
export interface PeerVersion {
  /** What its project of tests is called. */
  readonly name: string;
  /** Name of the adapter's folder in `packages`. */
  readonly adapter: string;
  /** What imports say, and which package of `from` they mean. */
  readonly packages: Readonly<Record<string, string>>;
  /** The package.json of who has these packages. */
  readonly from: URL;
  /** Of the framework, as its package.json says. */
  readonly version: string;
  /** What processes that tests start are started with: their imports of the framework lead to this version as well. */
  readonly nodeOptions: string;
  readonly tests: readonly string[];
  /** Tests of what brings a version of its own, or is told of the newest one. */
  readonly exclude: readonly string[];
}

/** Every version that is tested beside the newest one. The lowest ones are those that the peer ranges promise. */
export const peerVersions: readonly PeerVersion[] = [
  ...['ai-6-lowest', 'ai-6', 'ai-7-lowest'].map((alias) =>
    peerVersion({
      name: alias,
      adapter: 'ai-sdk',
      packages: { ai: alias },
      from: packageFolder('ai-sdk'),
      tests: ['test/scenarios/ai-sdk.test.ts', 'test/peer-ranges/ai-version.test.ts'],
      exclude: ['packages/ai-sdk/test/workflow.test.ts'],
    }),
  ),
  // Its packages need each other, so they are in a package of their own.
  peerVersion({
    name: 'langchain-lowest',
    adapter: 'langchain',
    packages: Object.fromEntries(
      [
        ...['langchain', '@langchain/core', '@langchain/langgraph'],
        ...['', '-postgres', '-sqlite'].map((of) => `@langchain/langgraph-checkpoint${of}`),
      ].map((name) => [name, name]),
    ),
    from: new URL('langchain-lowest/', import.meta.url),
    tests: ['test/scenarios/langchain*.test.ts'],
    exclude: ['test/scenarios/langchain-matrix.test.ts'],
  }),
];

/** The version that an adapter's package has under a name: the framework's own, or an alias. */
export function installedVersion(adapter: string, name: string): string {
  return versionIn(packageFolder(adapter), name);
}

/** The version of a package that another one depends on. */
export function versionIn(folder: URL, name: string): string {
  const manifest = new URL(`node_modules/${name}/package.json`, folder);
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}

/** The lowest version of each part of a peer range. */
export function lowestVersions(adapter: string, framework: string): readonly string[] {
  const manifest = readFileSync(new URL('package.json', packageFolder(adapter)), 'utf8');
  const range: string = JSON.parse(manifest).peerDependencies[framework];
  return range.split('||').map((part) => part.trim().replace(/^\^/, ''));
}

function packageFolder(adapter: string): URL {
  return new URL(`../../packages/${adapter}/`, import.meta.url);
}

function peerVersion({
  name,
  adapter,
  packages,
  from,
  tests,
  exclude,
}: Omit<PeerVersion, 'version' | 'nodeOptions'>): PeerVersion {
  const [framework = ''] = Object.values(packages);
  const manifest = new URL('package.json', from);
  const redirect = new URL('redirect.ts', import.meta.url);
  for (const [specifier, meant] of Object.entries(packages))
    redirect.searchParams.set(specifier, meant);
  redirect.searchParams.set('from', manifest.href);
  return {
    ...{ name, adapter, packages, exclude },
    from: manifest,
    version: versionIn(from, framework),
    nodeOptions: `--import=${redirect}`,
    tests: [`packages/${adapter}/test/**/*.test.ts`, ...tests],
  };
}
