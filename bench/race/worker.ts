// A process of the race: opens sessions as told, and makes the calls of a cycle all at once.
import { setTimeout } from 'node:timers/promises';
import { answerAsks } from '../asked-child.ts';
import type { Client, Contestant, Session } from './contestant.ts';
import { entries } from './entries.ts';
import type { Ask, CallResult } from './messages.ts';

/** How long a call may take, ms; what takes longer has failed. */
const patienceMs = 20_000;

const contestants = new Map<string, Promise<Contestant>>();
const clients = new Map<string, Client>();
const loginPrompts = new Map<string, number>();

// What a contestant says of its troubles is counted, not shown.
console.warn = () => undefined;
console.error = () => undefined;
// Some of them also leave a rejection behind that nobody handles; its call has failed and is counted.
process.on('unhandledRejection', () => undefined);

answerAsks(answer);

async function answer(ask: Ask): Promise<unknown> {
  switch (ask.type) {
    case 'prepare':
      return (await load(ask.entry)).prepare?.(sessionOf(ask.session));
    case 'open':
      clients.set(ask.session.name, await (await load(ask.entry)).open(sessionOf(ask.session)));
      return undefined;
    case 'cycle': {
      const client = clients.get(ask.name);
      if (client === undefined) throw new Error(`there is no session ${ask.name}`);
      loginPrompts.set(ask.name, 0);
      const calls = await Promise.all(Array.from({ length: ask.calls }, () => callOnce(client)));
      return { calls, loginPrompts: loginPrompts.get(ask.name) ?? 0 };
    }
    case 'close':
      await clients.get(ask.name)?.close?.();
      clients.delete(ask.name);
      return undefined;
  }
}

function load(id: string): Promise<Contestant> {
  const known = contestants.get(id);
  if (known !== undefined) return known;
  const entry = entries.find((one) => one.id === id);
  if (entry === undefined) throw new Error(`there is no contestant ${id}`);
  const loaded = entry.load();
  contestants.set(id, loaded);
  return loaded;
}

function sessionOf(session: Omit<Session, 'loginPrompted'>): Session {
  const { name } = session;
  return {
    ...session,
    loginPrompted: () => loginPrompts.set(name, (loginPrompts.get(name) ?? 0) + 1),
  };
}

async function callOnce(client: Client): Promise<CallResult> {
  const startedAt = performance.now();
  const waited = (): number => performance.now() - startedAt;
  const over = new AbortController();
  try {
    const late = setTimeout(patienceMs, undefined, { ref: false, signal: over.signal }).then(() => {
      throw new Error('no answer in time');
    });
    const status = await Promise.race([client.call(), late]);
    return status === 200 ? { waitMs: waited() } : { waitMs: waited(), failed: `HTTP ${status}` };
  } catch (error) {
    return { waitMs: waited(), failed: failureOf(error) };
  } finally {
    over.abort();
  }
}

/** What an error is, in words without tokens or ids, so that equal ones can be counted. */
function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code: unknown = Reflect.get(error, 'code');
  const detail: unknown = Reflect.get(error, 'error');
  const told = [detail, code].find((one) => typeof one === 'string' || typeof one === 'number');
  return `${error.name}: ${told ?? error.message.split('\n')[0]?.slice(0, 80)}`;
}
