import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventTypes } from '@outlive/signals';
import {
  createTestTransmitter,
  type TestTransmitter,
  type TransmittedEvent,
} from '@outlive/testing';
import { clerk, startCompany } from './company.ts';
import { startInbox } from './inbox.ts';
import { manager, openRuntime, type RuntimeSettings } from './runtime.ts';
import { createStaff } from './staff.ts';
import { paying } from './tools.ts';

/** The name of this app at the transmitter. */
const audience = 'https://refunds.example';
/** The clerk's name there. */
const clerkThere = 'E-1042';

const folder = await mkdtemp(join(tmpdir(), 'outlive-offboarded-'));
try {
  process.exitCode = (await tellStory()) ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, maxRetries: 5 });
}

/** Tells the story. Answers whether everything was as the README promises. */
async function tellStory(): Promise<boolean> {
  await using company = await startCompany();
  await using transmitter = await createTestTransmitter({ audience });
  const inboxSecret = randomBytes(32);
  await using inbox = await startInbox(inboxSecret);
  const settings: RuntimeSettings = {
    storePath: join(folder, 'outlive.db'),
    auditPath: join(folder, 'audit.jsonl'),
    keys: { current: 'k1', ring: { k1: randomBytes(32) }, hash: randomBytes(32) },
    issuerUrl: company.issuer.url,
    apiUrl: company.apiUrl,
    inboxUrl: inbox.url,
    inboxSecret,
  };
  await using runtime = openRuntime(settings);
  await using staff = createStaff();
  const { outlive } = runtime;

  const { tokenResponse } = await company.issuer.seedGrant({ subject: clerk });
  const principal = { subject: clerk };
  await outlive.grants.import({ provider: 'company', principal, tokens: tokenResponse });
  const task = await outlive.startTask({
    principal,
    agent: 'refund-agent',
    requirements: [paying],
    expectedDurationMs: 3_600_000,
  });
  const { url, managementToken } = transmitter;
  await outlive.directory.link({ directory: url, format: 'iss_sub', id: clerkThere }, principal);
  const desk = staff.start('desk-worker.ts', {
    runtime: settings,
    transmitter: { url, audience, managementToken },
  });
  const agents = ['a', 'b'].map((name) =>
    staff.start('agent-worker.ts', { runtime: settings, agent: { name, taskId: task.id } }),
  );
  tell(
    '09:00',
    `two processes pay refunds in the name of ${clerk}; a third listens to the directory`,
  );
  await Promise.all(agents.map((agent) => agent.heard('waiting')));
  const { streamId } = await desk.heard('listening');

  await company.setClerkActive(false);
  const event = {
    type: eventTypes.accountDisabled,
    subject: { format: 'iss_sub', iss: url, sub: clerkThere },
  };
  const forged = await pushForged(transmitter, streamId, event);
  const [pushed] = await transmitter.send(event);
  const offboardedAt = Date.now();
  tell('09:30', `${clerk} is offboarded; the directory pushes the event: ${pushed?.status}`);

  for (const agent of agents) agent.goOn();
  const ends = await Promise.all(agents.map((agent) => agent.heard('ended')));
  const statuses = ends.map(({ status }) => status);
  tell(
    '09:45',
    `both agents want to pay the next refund; their runs are ${statuses.join(' and ')}`,
  );

  const notice = await inbox.first;
  tell('09:45', `${manager} gets a message: ${notice.agent} waits for ${notice.roles.join(', ')}`);
  const own = await outlive.decide(notice.pauseId, { decision: 'resume', by: clerk });
  tell('09:50', `${clerk} says "resume": ${own.status}`);
  const token = company.newestToken();
  const decision = await outlive.decide(notice.pauseId, { decision: 'cancel', by: manager });
  tell('10:05', `${manager} says "cancel": ${decision.status}`);

  // Back in the directory the person is active: what the API refuses now is refused because it was revoked.
  await company.setClerkActive(true);
  const isRevoked = (await company.issuer.accessToken(token)) === undefined;
  const { text, status, decisions, calls, verified } = await outlive.explain(task.id);
  console.log(`\n${text}`);
  const log = await readFile(settings.auditPath, 'utf8');

  return check({
    'a forged event is refused': forged === 400,
    'the event is accepted when it is durable': pushed?.status === 202,
    'four refunds were paid before 09:30': company.paid.length === 4,
    'none was paid after it': company.paid.every(({ at }) => at <= offboardedAt),
    'both runs are paused': statuses.every((one) => one === 'paused'),
    'no model got another turn': agents.every(
      (agent) => agent.countSince('model-called', offboardedAt) === 0,
    ),
    'the manager was told once': new Set(inbox.ids).size === 1 && notice.roles[0] === 'manager',
    'the clerk could not decide': own.status === 'refused',
    'the manager did': decision.status === 'decided' && status === 'cancelled',
    'the delegated token is revoked': token !== '' && isRevoked,
    'the log says who decided what':
      decisions.map(({ by, accepted: taken }) => `${by} ${taken}`).join() ===
      `${clerk} false,${manager} true`,
    'the log knows every refund': calls.filter(({ outcome }) => outcome === 'done').length === 4,
    'the log is whole': verified.every(({ ok }) => ok),
    'no token is in the exported log': company.issuer
      .issuedTokens()
      .every(({ value }) => !log.includes(value)),
  });
}

/** What somebody sends who knows everything but the transmitter's key. Answers the status. */
async function pushForged(
  transmitter: TestTransmitter,
  streamId: string,
  event: TransmittedEvent,
): Promise<number | undefined> {
  const stream = transmitter.streams.find(({ stream_id }) => stream_id === streamId);
  if (stream === undefined) return undefined;
  const { privateKey } = await crypto.subtle.generateKey(
    {
      name: 'RSASSA-PKCS1-v1_5',
      modulusLength: 2048,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: 'SHA-256',
    },
    false,
    ['sign', 'verify'],
  );
  const token = await transmitter.sign(transmitter.claims(event), { key: privateKey });
  return (await transmitter.push(stream, token)).status;
}

function tell(time: string, what: string): void {
  console.log(`${time}  ${what}`);
}

function check(promises: Readonly<Record<string, boolean>>): boolean {
  for (const [promise, isKept] of Object.entries(promises))
    console.log(`${isKept ? 'yes' : 'NO '}  ${promise}`);
  return Object.values(promises).every(Boolean);
}
