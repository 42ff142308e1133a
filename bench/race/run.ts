import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { clientOf, lifetimeMs, type RunningArena } from './arena.ts';
import type { Entry } from './entries.ts';
import type { CycleResult, SentSession } from './messages.ts';
import type { Setting } from './plan.ts';
import type { RaceProcess } from './processes.ts';
import { addUp, type Result, type SessionOutcome } from './result.ts';
import { storedTokens, writeTokens } from './token-file.ts';

/** How often the access token of a session expires while everybody needs it. */
export const cycles = 2;

/** A session that is under way. */
interface OpenSession {
  readonly entry: Entry;
  readonly grantId: string;
  readonly name: string;
  readonly processes: readonly RaceProcess[];
  readonly results: CycleResult[];
  /** On the monotonic clock: every access token it ever had is of no use from then on. */
  expiredAtMs: number;
}

/**
 * Lets everyone run in one setting. Contestants take turns, session by session, so that what else the machine does
 * falls on all of them; and while the tokens of one live, others run.
 */
export async function runSetting(
  { issuer, told, folder }: RunningArena,
  all: readonly RaceProcess[],
  entries: readonly Entry[],
  setting: Setting,
): Promise<Result[]> {
  const processes = all.slice(0, setting.processes);
  const running = entries.filter((entry) => setting.processes === 1 || entry.processes === 'many');
  const turns = Array.from({ length: setting.sessions }, () => running).flat();

  issuer.options.latencyMs = 0;
  const sessions = await inTurn(turns, 4, openSession);
  issuer.options.latencyMs = setting.latencyMs;
  for (let cycle = 0; cycle < cycles; cycle += 1)
    await inTurn(sessions, sessionsAtOnce(setting), runCycle);
  const results = running.map((entry) =>
    addUp(entry.id, setting, sessions.filter((session) => session.entry === entry).map(outcomeOf)),
  );
  await inTurn(sessions, 4, async ({ name }) => {
    await Promise.all(processes.map((process) => process.do({ type: 'close', name })));
  });
  return results;

  async function openSession(entry: Entry): Promise<OpenSession> {
    const name = `${entry.id}-${randomUUID()}`;
    const seeded = await issuer.seedGrant({ subject: name, clientId: clientOf(entry) });
    const tokens = seeded.tokenResponse;
    const tokenFile = join(folder, `${name}.json`);
    await writeTokens(tokenFile, { ...tokens, ...storedTokens(tokens) });
    const session: SentSession = { ...told, name, tokenFile, tokens };
    await processes[0]?.do({ type: 'prepare', entry: entry.id, session });
    await Promise.all(
      processes.map((process) => process.do({ type: 'open', entry: entry.id, session })),
    );
    const { grantId } = seeded;
    return { entry, grantId, name, processes, results: [], expiredAtMs: expiry() };
  }

  function outcomeOf({ grantId, results }: OpenSession): SessionOutcome {
    const presentations = issuer.presentations(grantId).map(({ times }) => times);
    return { presentations, alive: issuer.grant(grantId).alive, cycles: results };
  }

  async function runCycle(session: OpenSession): Promise<void> {
    await setTimeout(Math.max(0, session.expiredAtMs - performance.now()));
    const { name } = session;
    const done = session.processes.map((process) => process.cycle(name, setting.calls));
    session.results.push(...(await Promise.all(done)));
    session.expiredAtMs = expiry();
  }
}

/** Tokens issued until now have expired by then, also where the issuer rounds up to whole seconds. */
function expiry(): number {
  return performance.now() + lifetimeMs + 1000;
}

/** At a slow issuer sessions mostly wait: more of them at once, but never more calls than this machine can make. */
function sessionsAtOnce({ latencyMs, processes, calls }: Setting): number {
  return Math.max(1, Math.min(Math.floor(latencyMs / 75), Math.floor(600 / (processes * calls))));
}

/** Does `work` for each item in order, at most `atOnce` of them at a time; answers in the order of the items. */
async function inTurn<Item, Done>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Done>,
): Promise<Done[]> {
  const done: Done[] = [];
  const left = items.entries();
  const worker = async (): Promise<void> => {
    for (const [at, item] of left) done[at] = await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return done;
}
