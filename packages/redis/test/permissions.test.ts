import { readFileSync } from 'node:fs';
import type { Store } from '@outlive/core';
import { storeContract } from '@outlive/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { ownRedisServer, redisCommand } from '../../../test/servers/redis-server.ts';
import { redisStore } from '../src/index.ts';
import { clientsOf } from './clients.ts';

const server = await ownRedisServer();
afterAll(() => server.stop());

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const rights = /^ACL SETUSER outlive on >secret (.*)$/m.exec(readme)?.[1] ?? '';

/** A case of each kind is enough to use every command. */
const kinds = [
  /^list yields thousands/,
  /^a tombstone is a version/,
  /^read starts/,
  /^watch wakes when another handle/,
  /^forget removes exactly/,
  /^a stream of which nothing is left/,
];

describe.each(Object.entries(clientsOf))('the user of the README, with %s', (_, client) => {
  const prefixes = new WeakMap<Store, string>();
  const open = (prefix: string): Store => {
    const url = server.url.replace('redis://', 'redis://outlive:secret@');
    const warn = (warning: string): void => expect.unreachable(warning);
    const store = redisStore({ client: client(url), prefix, onWarning: warn });
    prefixes.set(store, prefix);
    return store;
  };
  const cases = storeContract({
    open: async () => {
      const prefix = `outlive-${crypto.randomUUID()}`;
      const own = rights.replaceAll('{outlive}', `{${prefix}}`);
      const answer = await redisCommand(
        server.process.port,
        `ACL SETUSER outlive reset on >secret ${own}`,
      );
      expect(answer).toMatch(/^\+OK/);
      return open(prefix);
    },
    reopen: async (store) => open(prefixes.get(store) ?? ''),
  }).filter(({ name }) => kinds.some((kind) => kind.test(name)));

  it('is given rights that the server knows', () => expect(rights).toContain('~{outlive}:*'));
  for (const { name, run } of cases) it(`may do all that is needed: ${name}`, run, 60_000);
});
