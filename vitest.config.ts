import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { installedVersion, peerVersions } from './test/peer-ranges/peer-versions.ts';

const compileCache = fileURLToPath(new URL('./node_modules/.cache/compile', import.meta.url));

export default defineConfig({
  test: {
    restoreMocks: true,
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
      // The same tests on the other versions of the frameworks that the adapters support.
      ...peerVersions.map(({ name, framework, folder, version, nodeOptions, tests, exclude }) => ({
        extends: true as const,
        resolve: {
          alias: [{ find: new RegExp(`^${framework}$`), replacement: fileURLToPath(folder) }],
        },
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
