import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vitest/config';
import { installedVersion, peerVersions } from './test/peer-ranges/peer-versions.ts';
import { redirected } from './test/peer-ranges/redirected.ts';
import { oldestClients } from './test/versions/oldest-clients.ts';

const compileCache = fileURLToPath(new URL('./node_modules/.cache/compile', import.meta.url));

export default defineConfig({
  test: {
    restoreMocks: true,
    // Most tests wait for other processes: also on a machine with two cores two files can run at once.
    maxWorkers: 2,
    // A limit for what hangs, and not a measure: tests that start processes are slow on a busy machine.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most of the start of a process is stripping types and compiling: once is enough for all that tests start.
    env: { NODE_COMPILE_CACHE: compileCache },
    coverage: { include: ['packages/*/src/**'] },
    projects: [
      {
        extends: true,
        test: {
          name: 'all',
          provide: { aiVersion: installedVersion('ai-sdk', 'ai') },
          include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
        },
      },
      {
        extends: true,
        // Some of them on the oldest client libraries that the stores support; `pnpm versions` runs more.
        resolve: { alias: oldestClients },
        test: {
          name: 'oldest-clients',
          include: [
            'packages/redis/test/{store-contract,broken-connection}.test.ts',
            'packages/postgres/test/{broken-connection,queries,watch}.test.ts',
          ],
        },
      },
      // The same tests on the other versions of the frameworks that the adapters support.
      ...peerVersions.map(({ name, packages, from, version, nodeOptions, tests, exclude }) => ({
        extends: true as const,
        plugins: [redirectImports(name, packages, fileURLToPath(from))],
        test: {
          name,
          env: { NODE_OPTIONS: nodeOptions },
          provide: { aiVersion: version },
          include: [...tests],
          exclude: [...exclude],
        },
      })),
    ],
  },
});

/** Imports of these packages mean those that another package depends on. What projects have in common they share, by name. */
function redirectImports(
  project: string,
  packages: Readonly<Record<string, string>>,
  from: string,
): Plugin {
  return {
    name: `redirect-imports-of-${project}`,
    enforce: 'pre',
    resolveId(source, _importer, options) {
      const meant = redirected(packages, source);
      return meant === undefined
        ? undefined
        : this.resolve(meant, from, { ...options, skipSelf: true });
    },
  };
}
