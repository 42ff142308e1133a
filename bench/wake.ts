// How soon a token that one process refreshed is in the hands of a caller who waits in another process.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestIssuer } from '@outlive/testing';
import { type AskedChild, startAskedChild } from './asked-child.ts';
import { median, quantile } from './measure.ts';
import { outputOptions, publish } from './publish.ts';
import { atMost, describeMachine, type Figure } from './report.ts';
import { type StoreName, stores } from './stores.ts';
import type { NextToken, WakeAsk } from './wake/messages.ts';

/** Medians, ms. */
const bars: Readonly<Partial<Record<StoreName, number>>> = { sqlite: 5, redis: 5, postgres: 8 };
const rounds = 60;
const warmUpRounds = 5;
const latencyMs = 100;

const output = outputOptions();
const machine = describeMachine();
const figures: Figure[] = [];
for (const name of Object.keys(bars) as StoreName[]) figures.push(...(await measureWake(name)));
const how = `Two processes want the next token at once; one refreshes it at an issuer that takes ${latencyMs} ms. From when the store had acknowledged the new pair to it, until the caller in the other process had the token: ${rounds} rounds. Below zero would mean that the other process had it before.`;
publish(
  {
    benchmark: 'wake',
    machine,
    sections: [{ title: 'A new pair in another process', how, figures }],
  },
  output,
);

async function measureWake(name: StoreName): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'outlive-wake-'));
  try {
    const clients = [{ clientId: 'basic', clientSecret: 'secret' }];
    await using issuer = await createTestIssuer({ clients, accessTokenLifetimeMs: 3_600_000 });
    await using started = await stores[name].start(folder);
    const { tokenResponse } = await issuer.seedGrant({ subject: 'alice', clientId: 'basic' });
    const script = new URL('./wake/process.ts', import.meta.url);
    const args = [name, started.place, issuer.url];
    await using first = await startAskedChild<WakeAsk>(script, [
      ...args,
      JSON.stringify(tokenResponse),
    ]);
    await using second = await startAskedChild<WakeAsk>(script, args);
    const processes = [first, second];
    let { generation } = await nextToken(first, -1);
    issuer.options.latencyMs = latencyMs;
    const waitsMs: number[] = [];
    for (let round = -warmUpRounds; round < rounds; round += 1) {
      const asked = generation;
      const tokens = await Promise.all(processes.map((one) => nextToken(one, asked)));
      const refresher = tokens.find(({ storedAtMs }) => storedAtMs !== undefined);
      const waiter = tokens.find((token) => token !== refresher);
      if (refresher?.storedAtMs === undefined || waiter === undefined)
        throw new Error('nobody refreshed');
      if (round >= 0) waitsMs.push(waiter.tookAtMs - refresher.storedAtMs);
      generation = Math.max(...tokens.map((token) => token.generation));
    }
    const bar = bars[name] ?? Number.POSITIVE_INFINITY;
    const unit = 'ms';
    return [
      atMost(bar, { name: `${name}, median`, value: median(waitsMs), unit }),
      { name: `${name}, 99 %`, value: quantile(waitsMs, 0.99), unit },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function nextToken(
  child: AskedChild<WakeAsk>,
  rejectedGeneration: number,
): Promise<NextToken> {
  return (await child.ask({ rejectedGeneration })) as NextToken;
}
