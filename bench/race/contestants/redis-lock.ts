import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { Mutex } from 'async-mutex';
import { Redis } from 'ioredis';
import { refreshTokenGrant } from 'openid-client';
import { type Contestant, callApi, type Session } from '../contestant.ts';
import { type StoredTokens, storedTokens } from '../token-file.ts';
import { configuration } from './openid-client.ts';

/** How long the lock lasts, ms. A holder that takes longer has lost it, and does not know. */
const lockMs = 1000;
/** How long a caller tries to get the lock, ms. */
const patienceMs = 10_000;
/** From the documentation of Redis: only its holder removes the lock. */
const unlock = `if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("del",KEYS[1]) else return 0 end`;

let connection: Redis | undefined;

/**
 * The usual recipe: a mutex in the process, then `SET NX PX` in Redis, read the tokens again under the lock, refresh,
 * write, unlock by a script that compares.
 */
export const contestant: Contestant = {
  async prepare(session) {
    await write(redis(session), session, storedTokens(session.tokens));
  },
  async open(session) {
    const issuer = await configuration(session.issuer);
    const client = redis(session);
    const lock = `race-lock:${session.name}`;
    const mutex = new Mutex();

    async function refreshed(): Promise<StoredTokens> {
      const id = randomUUID();
      const giveUpAt = Date.now() + patienceMs;
      while (Date.now() < giveUpAt) {
        if ((await client.set(lock, id, 'PX', lockMs, 'NX')) === 'OK') {
          try {
            const current = await read(client, session);
            if (current.expires_at > Date.now()) return current;
            const response = await refreshTokenGrant(issuer, current.refresh_token);
            const next = storedTokens(response, current);
            await write(client, session, next);
            return next;
          } finally {
            await client.eval(unlock, 1, lock, id);
          }
        }
        await setTimeout(50 + Math.random() * 50);
        const current = await read(client, session);
        if (current.expires_at > Date.now()) return current;
      }
      throw new Error('the lock was not to be had');
    }

    return {
      async call() {
        let tokens = await read(client, session);
        if (tokens.expires_at <= Date.now())
          tokens = await mutex.runExclusive(async () => {
            const current = await read(client, session);
            return current.expires_at > Date.now() ? current : refreshed();
          });
        return callApi(session, tokens.access_token);
      },
    };
  },
};

function redis({ places }: Session): Redis {
  connection ??= new Redis(places.redis ?? '');
  return connection;
}

async function read(client: Redis, { name }: Session): Promise<StoredTokens> {
  const text = await client.get(`race-tokens:${name}`);
  if (text === null) throw new Error('there are no tokens');
  return JSON.parse(text);
}

async function write(client: Redis, { name }: Session, tokens: StoredTokens): Promise<void> {
  // The server may be somebody's: what the race leaves behind goes by itself.
  await client.set(`race-tokens:${name}`, JSON.stringify(tokens), 'EX', 3600);
}
