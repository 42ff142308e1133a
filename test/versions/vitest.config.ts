import { defineConfig } from 'vitest/config';
import { oldestClients } from './oldest-clients.ts';

export default defineConfig({
  resolve: { alias: oldestClients },
  test: {
    root: '../..',
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
