// How soon every process has stopped after a pushed revocation was received.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createPushReceiver, eventTypes } from '@outlive/signals';
import { createSetSigner, type SetSigner } from '@outlive/testing';
import { type AskedChild, startAskedChild } from './asked-child.ts';
import { median, monotonicNowMs, quantile } from './measure.ts';
import { outputOptions, publish } from './publish.ts';
import { atMost, describeMachine, type Figure } from './report.ts';
import type { CallsEnded, RevokeAsk } from './revoke/messages.ts';
import { openStore, type StoreName, stores } from './stores.ts';
import { startBenchTask } from './task.ts';

/** A pushed revocation stops every process within a second. */
const barMs = 1000;
const processCount = 4;
const rounds = 60;
const warmUpRounds = 5;
const issuer = 'https://idp.example';
const audience = 'https://agents.example/events';
const authorization = 'Bearer bench';

const output = outputOptions();
const machine = describeMachine();
const figures: Figure[] = [];
for (const name of ['sqlite', 'redis', 'postgres'] as const)
  figures.push(...(await measureRevoke(name)));
const how = `A receiver gets a security event (RFC 8935) that revokes a person for whom ${processCount} other processes work; each asks for a token every millisecond. From when the receiver had the request: until it acknowledged it, until the last call that got a token in any process, and until the last process was refused. ${rounds} rounds.`;
publish(
  {
    benchmark: 'revoke',
    machine,
    sections: [{ title: 'From receipt to the last refused call', how, figures }],
  },
  output,
);

async function measureRevoke(name: StoreName): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'outlive-revoke-'));
  try {
    await using started = await stores[name].start(folder);
    await using receiving = await startBenchTask({ store: openStore(name, started.place) });
    const { outlive } = receiving;
    await outlive.directory.link(
      { directory: issuer, format: 'opaque', id: 'a' },
      { subject: 'alice' },
    );
    const signer = await createSetSigner();
    const receive = createPushReceiver({
      outlive,
      issuer,
      audience,
      authorization,
      jwks: { keys: [...signer.jwks.keys] },
    });
    const script = new URL('./revoke/process.ts', import.meta.url);
    await using children = new AsyncDisposableStack();
    const processes: AskedChild<RevokeAsk>[] = [];
    for (let number = 0; number < processCount; number += 1)
      processes.push(children.use(await startAskedChild(script, [name, started.place])));
    const all = (until: RevokeAsk['until']): Promise<CallsEnded[]> =>
      Promise.all(processes.map(async (one) => (await one.ask({ until })) as CallsEnded));

    const acknowledgedMs: number[] = [];
    const lastGrantedMs: number[] = [];
    const stoppedMs: number[] = [];
    for (let round = -warmUpRounds; round < rounds; round += 1) {
      await all('granted');
      const ends = all('refused');
      // At any time between two polls of the store.
      await setTimeout(20 + Math.random() * 250);
      const request = await eventRequest(signer, eventTypes.accountDisabled, round);
      const receivedAtMs = monotonicNowMs();
      const { status } = await receive(request);
      const acknowledgedAtMs = monotonicNowMs();
      if (status !== 202) throw new Error(`the receiver answered ${status}`);
      const ended = await ends;
      const lifted = await receive(await eventRequest(signer, eventTypes.accountEnabled, round));
      if (lifted.status !== 202) throw new Error(`the receiver answered ${lifted.status}`);
      if (round < 0) continue;
      acknowledgedMs.push(acknowledgedAtMs - receivedAtMs);
      const granted = ended.map((one) => one.lastGrantedAtMs ?? receivedAtMs);
      lastGrantedMs.push(Math.max(0, Math.max(...granted) - receivedAtMs));
      stoppedMs.push(Math.max(...ended.map((one) => one.endedAtMs)) - receivedAtMs);
    }
    const unit = 'ms';
    return [
      { name: `${name}, acknowledged, median`, value: median(acknowledgedMs), unit },
      { name: `${name}, last token, median`, value: median(lastGrantedMs), unit },
      { name: `${name}, last refusal, median`, value: median(stoppedMs), unit },
      atMost(barMs, {
        name: `${name}, last refusal, 99 %`,
        value: quantile(stoppedMs, 0.99),
        unit,
      }),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An event of each kind in each round, so that they happen one after the other. */
async function eventRequest(signer: SetSigner, type: string, round: number): Promise<Request> {
  const second = 2 * (round + warmUpRounds) + (type === eventTypes.accountEnabled ? 1 : 0);
  const token = await signer.sign({
    iss: issuer,
    aud: audience,
    iat: Math.floor(Date.now() / 1000),
    jti: `${type} ${round}`,
    sub_id: { format: 'opaque', id: 'a' },
    events: { [type]: { event_timestamp: second } },
  });
  return new Request(audience, {
    method: 'POST',
    headers: { 'content-type': 'application/secevent+jwt', authorization },
    body: token,
  });
}
