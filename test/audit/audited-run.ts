import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Store } from '@outlive/core';
import {
  createProtectedApi,
  createTestIssuer,
  type ProtectedApi,
  type TestIssuer,
} from '@outlive/testing';
import { seededRandom } from '../chaos/seeded-random.ts';
import { createAgentRuntime } from '../multi-process/agent-runtime.ts';
import { readItems, sendPayment } from '../multi-process/agent-setup.ts';
import { type ForkedProcess, forkProcess } from '../multi-process/fork-process.ts';
import { openStore } from '../multi-process/shared-store.ts';
import { startStore } from '../multi-process/store-place.ts';
import {
  type AuditedCommands,
  type AuditedEvent,
  type AuditedSetup,
  directoryGate,
} from './audit-setup.ts';
import type { AuditReport } from './auditor.ts';

/** What came of a run, from all sides. */
export interface AuditedRun extends AsyncDisposable {
  /** What the auditor makes of the log, and of nothing else. */
  readonly report: AuditReport;
  readonly issuer: TestIssuer;
  readonly api: ProtectedApi;
  readonly people: readonly {
    readonly taskId: string;
    readonly subject: string;
    readonly issuerGrantId: string;
    /** What names the grant in the log. */
    readonly grant: string;
    /** Whether the log is as it was written. */
    readonly verified: boolean;
  }[];
  readonly kills: number;
}

type Worker = ForkedProcess<AuditedCommands, AuditedEvent>;

const script = new URL('./audited-worker.ts', import.meta.url);
const auditor = fileURLToPath(new URL('./auditor.ts', import.meta.url));
const leewayMs = 60_000;

/**
 * Lets three processes call tools for five people while they are killed one after the other, one person is stopped and
 * comes back, and access tokens live for two seconds; then has the log exported and audited.
 */
export async function runAudited(options: {
  readonly kills: number;
  readonly seed: number;
}): Promise<AuditedRun> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startStore('sqlite'));
  const issuer = stack.use(
    await createTestIssuer({ accessTokenLifetimeMs: 2000, reuse: { leewayMs } }),
  );
  const answer = (): Response => Response.json({});
  const api = stack.use(
    await createProtectedApi({
      issuer,
      routes: {
        'GET /items': { scopes: ['read'], handle: answer },
        'POST /payments': { scopes: ['write'], handle: answer },
      },
    }),
  );
  const shared = {
    issuerUrl: issuer.url,
    apiUrl: api.url,
    keys: { current: 'first', ring: { first: randomBytes(32) }, hash: randomBytes(32) },
    profile: { rotation: 'leeway', leewayMs },
    policy: { requestTimeoutMs: 2000, settleMs: 500, gateCacheMs: 500 },
  } as const;
  const store = openStore(server.place);
  stack.defer(() => store.close());
  const outlive = stack.use(createAgentRuntime(shared, { store, gate: directoryGate(issuer.url) }));

  const begun = await Promise.all(
    Array.from({ length: 5 }, async (_, number) => {
      const subject = `user-${number}`;
      const { grantId, tokenResponse } = await issuer.seedGrant({ subject });
      const principal = { subject };
      await outlive.grants.import({ provider: 'issuer', principal, tokens: tokenResponse });
      const task = await outlive.startTask({
        principal,
        agent: 'tester',
        requirements: [readItems, sendPayment],
        expectedDurationMs: 3_600_000,
      });
      return { task, subject, issuerGrantId: grantId };
    }),
  );
  const setup = { ...shared, place: server.place, taskIds: begun.map(({ task }) => task.id) };
  await killed(setup, options, {
    // Half way one of them is offboarded; at the end they are back, and an admin lets their task go on.
    stop: () => Object.assign(issuer.user('user-0'), { active: false }),
  });
  issuer.user('user-0').active = true;
  for await (const pause of outlive.waitingPauses()) {
    await outlive.decide(pause.id, { decision: 'resume', by: 'admin' });
    await outlive.resume(pause.id);
  }
  for (const { task } of begun) {
    const { generation } = await task.getAccessToken(readItems);
    // Whatever the dead have left in doubt is settled by this.
    await task.getAccessToken(readItems, { rejectedGeneration: generation });
    await task.complete();
  }

  const log = join(server.folder, 'audit.jsonl');
  const explained = await Promise.all(begun.map(({ task }) => outlive.explain(task.id)));
  const grants = explained.map(({ authorities }) => authorities[0]?.grant ?? '');
  const streams = [
    ...begun.map(({ task }) => `task:${task.id}`),
    ...grants.map((grant) => `grant:${grant}`),
  ];
  await writeFile(
    log,
    (await Promise.all(streams.map((stream) => linesOf(store, stream)))).join(''),
  );
  const { stdout } = await promisify(execFile)(process.execPath, [auditor, log], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const verified = await Promise.all(begun.map(({ task }) => outlive.verify(task.id)));
  const kept = stack.move();
  return {
    report: JSON.parse(stdout) as AuditReport,
    issuer,
    api,
    people: begun.map(({ task, subject, issuerGrantId }, at) => ({
      taskId: task.id,
      subject,
      issuerGrantId,
      grant: grants[at] ?? '',
      verified: verified[at]?.ok === true,
    })),
    kills: options.kills,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Three workers at a time; each kill ends one that works and starts another in its place. */
async function killed(
  setup: Omit<AuditedSetup, 'seed'>,
  { kills, seed }: { readonly kills: number; readonly seed: number },
  halfWay: { readonly stop: () => void },
): Promise<void> {
  const random = seededRandom(seed);
  const workers: Worker[] = [];
  let started = 0;
  const start = async (): Promise<void> => {
    started += 1;
    const worker = await forkProcess<AuditedCommands, AuditedEvent>(script, {
      ...setup,
      seed: seed + started,
    });
    workers.push(worker);
    await worker.event('working');
  };
  try {
    await Promise.all([start(), start(), start()]);
    for (let kill = 0; kill < kills; kill += 1) {
      if (kill === Math.floor(kills / 2)) halfWay.stop();
      const position = Math.floor(random() * workers.length);
      // In the middle of whatever it does: it makes some hundred calls a second.
      await workers.splice(position, 1)[0]?.kill();
      await start();
    }
    await Promise.all(workers.map((worker) => worker.call('stop')));
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()));
  }
}

/** What core writes into an audit stream is the JSON of an entry. */
async function linesOf(store: Store, stream: string): Promise<string> {
  const lines: string[] = [];
  for await (const { value } of store.read(stream, 1)) lines.push(`${value}\n`);
  return lines.join('');
}
