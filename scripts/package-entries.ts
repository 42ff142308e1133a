// What the packages publish: every entry of their `publishConfig.exports` that has types.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** One entry point of one package. */
export interface Entry {
  /** Folder of the package, from the root. */
  readonly folder: string;
  readonly packageName: string;
  /** What an import says: the package's name, or the name and a subpath. */
  readonly specifier: string;
  /** Name of its API report: `core`, `core-node`. */
  readonly reportName: string;
  /** Its declarations, from the package's folder. */
  readonly types: string;
}

interface Manifest {
  readonly name: string;
  readonly publishConfig: {
    readonly exports: Readonly<Record<string, string | { readonly types?: string }>>;
  };
}

/** All entries of all packages, in the order of their names. */
export function packageEntries(): Entry[] {
  return globSync('packages/*/package.json').sort().flatMap(entriesOf);
}

function entriesOf(manifestFile: string): Entry[] {
  const folder = dirname(manifestFile);
  const manifest: Manifest = JSON.parse(readFileSync(manifestFile, 'utf8'));
  return Object.entries(manifest.publishConfig.exports).flatMap(([subpath, target]) => {
    if (typeof target === 'string' || target.types === undefined) return [];
    const specifier = join(manifest.name, subpath);
    return {
      folder,
      packageName: manifest.name,
      specifier,
      reportName: specifier.replace(/^@[^/]+\//, '').replaceAll('/', '-'),
      types: join(target.types),
    };
  });
}
