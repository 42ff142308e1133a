import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { oldestClients } from './test/versions/oldest-clients.ts';

const ai6 = fileURLToPath(new URL('./packages/ai-sdk/node_modules/ai-6', import.meta.url));

export default defineConfig({
  test: {
    restoreMocks: true,
    // A limit for what hangs, and not a measure: tests that start processes are slow on a busy machine.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: { include: ['packages/*/src/**'] },
    projects: [
      {
        extends: true,
        test: { name: 'all', include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'] },
      },
      {
        extends: true,
        // The same tests on the oldest major of the framework that the adapter supports.
        resolve: { alias: [{ find: /^ai$/, replacement: ai6 }] },
        test: { name: 'ai-6', include: ['packages/ai-sdk/test/**/*.test.ts'] },
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
    ],
  },
});
