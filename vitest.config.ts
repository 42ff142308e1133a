import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    restoreMocks: true,
    coverage: { include: ['packages/*/src/**'] },
  },
});
