import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteStore } from '@outlive/sqlite';
import type { ApiReady } from './api-process.ts';
import { startChild } from './child.ts';
import { type Batch, race, ratio, type Timing } from './measure.ts';
import type { Figure, Section } from './report.ts';
import { accessToken, type BenchTask, startBenchTask } from './task.ts';

const length = { rounds: 201, operations: 5, warmUpRounds: 10 };
const body = JSON.stringify({ customer: 'c-1', amount: 1200 });

/** What the durable ledger entries of a write add to its request, on two stores. */
export async function measureLedgerWrite(): Promise<Section> {
  const folder = mkdtempSync(join(tmpdir(), 'outlive-bench-'));
  try {
    await using api = await startChild<ApiReady>(new URL('./api-process.ts', import.meta.url));
    const baseUrl = api.ready.url;
    await using memory = await startBenchTask({ baseUrl });
    const store = sqliteStore({ path: join(folder, 'bench.db') });
    await using sqlite = await startBenchTask({ baseUrl, store });
    const headers = { authorization: `Bearer ${accessToken}` };
    const init = { method: 'POST', headers, body };
    const times = await race(
      {
        async bare(operations) {
          for (let at = 0; at < operations; at += 1)
            await (await fetch(`${baseUrl}invoices`, init)).arrayBuffer();
        },
        memoryFetch: writes(memory, 'fetched'),
        memoryCall: writes(memory, 'settled'),
        sqliteFetch: writes(sqlite, 'fetched'),
        sqliteCall: writes(sqlite, 'settled'),
      },
      length,
    );
    const added = (name: string, timing: Timing): Figure => ({
      name: `${name} adds`,
      value: (timing.medianNs - times.bare.medianNs) / 1000,
      unit: 'µs',
      compared: { ...ratio(timing, times.bare), to: 'bare fetch in all' },
    });
    return {
      title: 'What the ledger adds to a write request',
      how: `POST through a new tool call each. The entry "started" is durable before the request leaves; a settled call wrote its outcome too. ${length.rounds} interleaved rounds, ${length.operations} requests in each; records sealed.`,
      figures: [
        { name: 'bare fetch', value: times.bare.medianNs / 1000, unit: 'µs' },
        added('memory store, until the response', times.memoryFetch),
        added('memory store, call settled', times.memoryCall),
        added('SQLite store, until the response', times.sqliteFetch),
        added('SQLite store, call settled', times.sqliteCall),
      ],
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writes({ task, write }: BenchTask, until: 'fetched' | 'settled'): Batch {
  return async (operations) => {
    const run = task.startRun();
    for (let at = 0; at < operations; at += 1) {
      const call = run.call({
        requirement: write,
        toolName: 'create',
        toolCallId: `c${at}`,
        input: { customer: 'c-1', amount: 1200 },
      });
      const response = await call.principal.fetch('invoices', { method: 'POST', body });
      await response.arrayBuffer();
      if (until === 'settled') await call.settle({ ok: true });
    }
  };
}
