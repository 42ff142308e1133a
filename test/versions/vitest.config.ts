import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { oldestClients } from './oldest-clients.ts';

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  resolve: { alias: oldestClients },
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
