import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { failureOf } from '../../../test/servers/failure-of.ts';
import {
  type OwnRedisServer,
  ownRedisServer,
  redisCommand,
} from '../../../test/servers/redis-server.ts';
import { clientsOf } from './clients.ts';
import { testStore } from './test-store.ts';

const server = await ownRedisServer();
const { port } = server.process;
afterAll(() => server.stop());

const index = { kind: 'grant' } as const;

async function anotherServer(settings: Readonly<Record<string, string>>): Promise<OwnRedisServer> {
  const another = await ownRedisServer(settings);
  onTestFinished(() => another.stop());
  return another;
}

describe.each(Object.entries(clientsOf))('the look at the server, with %s', (_, client) => {
  const warningsOf = async (url: string, requireReplicas = 0): Promise<readonly string[]> => {
    const warnings: string[] = [];
    const store = testStore(client(url), {
      requireReplicas,
      onWarning: (warning) => warnings.push(warning),
    });
    for (let at = 0; at < 3; at += 1) await store.get('key');
    return warnings;
  };

  it('has nothing to warn of where each write is on the disk before it is answered', async () => {
    expect(await warningsOf(server.url)).toEqual([]);
  });

  it('warns once of a server that keeps nothing, or keeps it late, and says what is at risk', async () => {
    for (const [name, value] of [
      ['appendonly', 'no'] as const,
      ['appendfsync', 'everysec'] as const,
    ]) {
      const { url } = await anotherServer({ [name]: value });
      const warnings = await warningsOf(url);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toContain(`${name} ${value}`);
      expect(warnings[0]).toMatch(/refresh token would be presented a second time/);
    }
  });

  it('warns of a server that removes what it likes when memory is short', async () => {
    const { url } = await anotherServer({ 'maxmemory-policy': 'allkeys-lru' });
    expect(await warningsOf(url)).toEqual([
      expect.stringContaining('maxmemory-policy allkeys-lru'),
    ]);
    const harmless = await anotherServer({ 'maxmemory-policy': 'volatile-lru' });
    expect(await warningsOf(harmless.url)).toEqual([]);
  });

  it('says that it could not look where CONFIG is not allowed, and works', async () => {
    const { url, process } = await anotherServer({});
    await redisCommand(process.port, 'ACL SETUSER default -config');
    expect(await warningsOf(url)).toEqual([expect.stringContaining('could not be checked')]);
  });

  it('warns of replicas that nobody waits for, and refuses to work on a replica', async () => {
    const master = await anotherServer({});
    const replica = await anotherServer({ replicaof: `127.0.0.1 ${master.process.port}` });
    await expect
      .poll(() => redisCommand(master.process.port, 'INFO replication'), { timeout: 20_000 })
      .toMatch(/connected_slaves:1/);
    expect(await warningsOf(master.url)).toEqual([expect.stringContaining('has 1 replica')]);
    expect(await warningsOf(master.url, 1)).toEqual([]);
    const store = testStore(client(replica.url), { timeoutMs: 2000 });
    expect((await failureOf(store.get('key'))).code).toBe('read_only');
    expect((await failureOf(store.compareAndSwap('key', 0, 'v', index))).code).toBe('read_only');
  });

  it('refuses data of a newer version of the package, and leaves it alone', async () => {
    const prefix = `test-${crypto.randomUUID()}`;
    await redisCommand(port, `SET {${prefix}}:schema 2`);
    const store = testStore(client(server.url), { prefix });
    const failure = await failureOf(store.compareAndSwap('key', 0, 'value', index));
    expect(failure.code).toBe('newer_schema');
    expect(failure.message).toMatch(/layout 2.*Upgrade @outlive\/redis/);
    expect(await redisCommand(port, `EXISTS {${prefix}}:r:key`)).toMatch(/^:0/);
  });

  it('tells at once of a password that is refused', async () => {
    const { url } = await anotherServer({ requirepass: 'right' });
    for (const refused of [url, url.replace('redis://', 'redis://:wrong@')]) {
      const { code, message } = await failureOf(testStore(client(refused)).get('key'));
      expect(code).toBe('unavailable');
      expect(message).toMatch(/refuses this user.*(NOAUTH|WRONGPASS)/);
    }
    expect(await testStore(client(url.replace('redis://', 'redis://:right@'))).get('key')).toBe(
      undefined,
    );
  });

  it('tells a full server from one that is out of reach, and writes nothing to it', async () => {
    const { url, process } = await anotherServer({});
    const store = testStore(client(url));
    await store.compareAndSwap('key', 0, 'value', { ...index, status: 'idle' });
    await redisCommand(process.port, 'CONFIG SET maxmemory 1');
    const full = await failureOf(store.compareAndSwap('key', 1, 'other', index));
    expect(full.code).toBe('full');
    expect((await store.get('key'))?.value).toBe('value');
    expect((await failureOf(store.append('log', 1, ['entry']))).code).toBe('full');
    await redisCommand(process.port, 'CONFIG SET maxmemory 0');
    expect(await store.compareAndSwap('key', 1, 'other', index)).toBe(true);
  });

  it('tells of keys that something else has written, and overwrites nothing', async () => {
    const prefix = `test-${crypto.randomUUID()}`;
    const store = testStore(client(server.url), { prefix });
    await redisCommand(port, `SET {${prefix}}:r:key theirs`);
    const failure = await failureOf(store.compareAndSwap('key', 0, 'value', index));
    expect(failure.code).toBe('corrupt');
    expect((await failureOf(store.get('key'))).code).toBe('corrupt');
    expect(await redisCommand(port, `GET {${prefix}}:r:key`)).toContain('theirs');
  });
});
