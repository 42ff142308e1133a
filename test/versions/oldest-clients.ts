import { fileURLToPath } from 'node:url';

/** Has the tests use the oldest client libraries that the stores support, which are installed under other names. */
export const oldestClients = [
  { find: /^redis$/, replacement: installed('redis', 'redis-5') },
  { find: /^ioredis$/, replacement: installed('redis', 'ioredis-5') },
  { find: /^pg$/, replacement: installed('postgres', 'pg-8.12') },
];

function installed(packageName: string, dependency: string): string {
  const path = `../../packages/${packageName}/node_modules/${dependency}`;
  return fileURLToPath(new URL(path, import.meta.url));
}
