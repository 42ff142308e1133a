import { readFileSync } from 'node:fs';

const manifest: { dependencies: Record<string, string> } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
);

/** The version of a package that the benchmarks pin, and its name; of a package of this repository only the name. */
export function packageVersion(name: string): string {
  const version = manifest.dependencies[name];
  return version === undefined || version.startsWith('workspace:') ? name : `${name} ${version}`;
}
