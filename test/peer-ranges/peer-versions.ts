import { readFileSync } from 'node:fs';

/** A version of a framework, and the tests that run on it. */
export interface PeerVersion {
  /** Its alias in the adapter's devDependencies. */
  readonly name: string;
  /** Name of the adapter's folder in `packages`. */
  readonly adapter: string;
  /** What imports of the framework say. */
  readonly framework: string;
  readonly folder: URL;
  /** As its package.json says. */
  readonly version: string;
  /** What processes that tests start are started with: their imports of the framework lead to this version as well. */
  readonly nodeOptions: string;
  readonly tests: readonly string[];
  /** Tests of what brings a version of its own. */
  readonly exclude: readonly string[];
}

/** Where a version is, and what is proved on it. */
interface Place {
  readonly alias: string;
  readonly adapter: string;
  readonly framework: string;
  /** Tests outside the adapter's package. */
  readonly tests: readonly string[];
}

/** Every version that is tested beside the newest one. The lowest ones are those that the peer ranges promise. */
export const peerVersions: readonly PeerVersion[] = ['ai-6-lowest', 'ai-6', 'ai-7-lowest'].map(
  (alias) =>
    peerVersion({
      alias,
      adapter: 'ai-sdk',
      framework: 'ai',
      tests: ['test/scenarios/ai-sdk.test.ts', 'test/peer-ranges/ai-version.test.ts'],
    }),
);

/** The version that an adapter's package has under a name: the framework's own, or an alias. */
export function installedVersion(adapter: string, name: string): string {
  const manifest = new URL(`node_modules/${name}/package.json`, packageFolder(adapter));
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

function peerVersion({ alias, adapter, framework, tests }: Place): PeerVersion {
  const folder = packageFolder(adapter);
  const redirect = new URL('redirect.ts', import.meta.url);
  redirect.searchParams.set(framework, alias);
  redirect.searchParams.set('from', new URL('package.json', folder).href);
  return {
    name: alias,
    adapter,
    framework,
    folder: new URL(`node_modules/${alias}`, folder),
    version: installedVersion(adapter, alias),
    nodeOptions: `--import=${redirect}`,
    tests: [`packages/${adapter}/test/**/*.test.ts`, ...tests],
    exclude: [`packages/${adapter}/test/workflow.test.ts`],
  };
}
