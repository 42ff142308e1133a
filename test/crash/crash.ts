import { type ForkedProcess, forkProcess } from '../multi-process/fork-process.ts';
import type { StoreServer } from '../multi-process/store-place.ts';
import type { CrashPoint } from './crash-points.ts';
import type { CrashProfile } from './crash-profiles.ts';
import { type CrashOutcome, crashReference } from './crash-reference.ts';
import type { CrashCommands, CrashEvent, CrashSetup, TokenReceived } from './crash-setup.ts';
import { type CrashGrant, type CrashWorld, createCrashWorld } from './crash-world.ts';

/** One way to crash: all profiles go through it together. */
export interface Crash {
  readonly point: CrashPoint;
  /** `kill`: the process never comes back. `stop`: it goes on when another one has recovered from it. */
  readonly end: 'kill' | 'stop';
  readonly journal: 'off' | 'sameHost' | 'otherHost';
}

/** What became of one grant. */
export interface CrashCell extends Crash {
  readonly profile: CrashProfile;
  readonly outcome: CrashOutcome;
  readonly reference: CrashOutcome;
  /** What the process that came after the crash was given. */
  readonly received: TokenReceived;
  /** How often each refresh token came to the issuer before the check at the end, the first one first. */
  readonly presentations: readonly number[];
}

const script = new URL('./crash-process.ts', import.meta.url);

type CrashProcess = ForkedProcess<CrashCommands, CrashEvent>;

/** Ends a process at the point, lets another one come, and looks at what is left of each grant. */
export async function runCrash(server: StoreServer, crash: Crash): Promise<CrashCell[]> {
  await using world = await createCrashWorld(server);
  await using processes = new AsyncDisposableStack();
  const start = async (changes: Partial<CrashSetup>): Promise<CrashProcess> => {
    const setup = { ...world.setup, ...changes };
    const process = await forkProcess<CrashCommands, CrashEvent>(script, setup);
    processes.defer(() => process.kill());
    return process;
  };
  const journalOf = (host: 'here' | 'elsewhere'): Partial<CrashSetup> =>
    crash.journal === 'off' ? {} : { journalFolder: world.journalFolder(host) };

  const victim = await start({ ...journalOf('here'), holdAt: crash.point.heldBy });
  const asked = askForAll(victim, world.grants);
  await endAtPoint(world, victim, crash);
  const next = await start(journalOf(crash.journal === 'otherHost' ? 'elsewhere' : 'here'));
  const received = await askForAll(next, world.grants);
  victim.wake();
  // A process that goes on must be through with it before anybody looks; a dead one has refused everybody.
  await asked;

  const presented = world.grants.map((grant) => grant.presentations());
  // Awaited here: the world ends with this function.
  return await Promise.all(
    world.grants.map(async (grant, index): Promise<CrashCell> => {
      const { profile } = grant;
      const journal = { onSameHost: crash.journal === 'sameHost' };
      return {
        ...crash,
        profile,
        outcome: outcomeOf(await world.refreshAnew(grant)),
        reference: crashReference(profile, crash.point.name, journal),
        received: received[index] ?? { status: 'refused', code: 'none', reason: undefined },
        presentations: presented[index] ?? [],
      };
    }),
  );
}

/** A cell in which somebody has to sign in although the reference spares them that. */
export function isWorse({ outcome, reference }: CrashCell): boolean {
  return outcome === 'signIn' && reference === 'ok';
}

async function endAtPoint(world: CrashWorld, victim: CrashProcess, crash: Crash): Promise<void> {
  const { point, end } = crash;
  await using held = holdRequests(world, point);
  await (point.heldBy === 'issuer' ? held.arrived : everyGrantHeld(world, victim));
  if (end === 'kill') return victim.kill();
  victim.freeze();
  // For when it wakes: nothing reaches a process that is stopped.
  victim.release();
}

async function everyGrantHeld(world: CrashWorld, victim: CrashProcess): Promise<void> {
  for (const _ of world.grants) await victim.event('held');
}

/** The issuers keep every request until this is disposed; then it is lost, or goes on while nobody waits for it. */
function holdRequests(
  { issuers, grants }: CrashWorld,
  point: CrashPoint,
): AsyncDisposable & { readonly arrived: Promise<void> } {
  const all = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  if (point.heldBy !== 'issuer')
    return { arrived: all.promise, [Symbol.asyncDispose]: async () => undefined };
  let arrived = 0;
  const faults = issuers.map((issuer) =>
    issuer.fault(async () => {
      arrived += 1;
      if (arrived === grants.length) all.resolve();
      await ended.promise;
      return point.name === 'k1Unprocessed' ? { fault: 'dropBefore' } : undefined;
    }),
  );
  return {
    arrived: all.promise,
    async [Symbol.asyncDispose]() {
      for (const fault of faults) fault[Symbol.dispose]();
      ended.resolve();
    },
  };
}

/** Resolves with what each grant's task was given; refused by the end of the process where it ends first. */
function askForAll(process: CrashProcess, grants: readonly CrashGrant[]): Promise<TokenReceived[]> {
  return Promise.all(
    grants.map(({ profile, taskId }) =>
      process.call('token', profile.name, taskId).catch((error: unknown): TokenReceived => {
        const reason = error instanceof Error ? error.message : String(error);
        return { status: 'refused', code: 'process', reason };
      }),
    ),
  );
}

function outcomeOf(received: TokenReceived): CrashOutcome {
  if (received.status === 'served') return 'ok';
  if (received.code === 'reauthorization_required') return 'signIn';
  throw new Error(`neither served nor dead: ${received.code} (${received.reason ?? ''})`);
}
