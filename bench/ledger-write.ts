import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type GuardedCall, memoryStore, type Store } from '@outlive/core';
import { sqliteStore } from '@outlive/sqlite';
import type { ApiReady } from './api-process.ts';
import { startChild } from './child.ts';
import { type Batch, race, ratio, type Timing } from './measure.ts';
import type { Figure, Section } from './report.ts';
import { freshTokens, startBenchTask } from './task.ts';

// Single requests: on a busy machine, most of longer batches would be interrupted.
const memoryLength = { rounds: 1001, operations: 1, warmUpRounds: 100 };
const sqliteLength = { rounds: 201, operations: 1, warmUpRounds: 20 };
const body = JSON.stringify({ customer: 'c-1', amount: 1200 });

/** What the durable ledger entries of a write add to its request, on two stores. */
export async function measureLedgerWrite(): Promise<Section[]> {
  const folder = mkdtempSync(join(tmpdir(), 'outlive-bench-'));
  const file = openSync(join(folder, 'bare'), 'w');
  try {
    await using api = await startChild<ApiReady>(new URL('./api-process.ts', import.meta.url));
    const { url } = api.ready;
    const bare = bareWrites(url);
    const disk: Batch = async (operations) => {
      for (let at = 0; at < operations; at += 1) {
        writeSync(file, body);
        fsyncSync(file);
      }
    };
    // A race each: while one store waits for the disk, nobody else's times mean much.
    await using memory = await startWriter(url, memoryStore());
    const { fetched, settled } = memory;
    const inMemory = await race(
      { bare, fetched, settled },
      { ...memoryLength, between: memory.quiet },
    );
    await using sqlite = await startWriter(url, sqliteStore({ path: join(folder, 'bench.db') }));
    const onDisk = await race(
      { bare, disk, fetched: sqlite.fetched, settled: sqlite.settled },
      { ...sqliteLength, between: sqlite.quiet },
    );
    const how = `POST, a new tool call each. Its entry \`started\` is durable before the request leaves; a settled call wrote its outcome too. ${memoryLength.rounds} interleaved rounds; records sealed; the audit log is written out between requests.`;
    return [
      {
        title: 'What the ledger adds to a write request, memory store',
        how,
        figures: [took('bare fetch', inMemory.bare), ...added(inMemory)],
      },
      {
        title: 'What the ledger adds to a write request, SQLite store',
        how: `The same, ${sqliteLength.rounds} rounds. SQLite syncs every write to the disk, whose own time is the second line.`,
        figures: [
          took('bare fetch', onDisk.bare),
          took('bare write and fsync of a file', onDisk.disk),
          ...added(onDisk),
        ],
      },
    ];
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true, force: true });
  }
}

function bareWrites(url: string): Batch {
  const headers = { authorization: `Bearer ${freshTokens.access_token}` };
  const init = { method: 'POST', headers, body };
  return async (operations) => {
    for (let at = 0; at < operations; at += 1)
      await (await fetch(`${url}invoices`, init)).arrayBuffer();
  };
}

function took(name: string, { medianNs }: Timing): Figure {
  return { name, value: medianNs / 1000, unit: 'µs' };
}

function added(times: Readonly<Record<'bare' | 'fetched' | 'settled', Timing>>): Figure[] {
  const figure = (name: string, timing: Timing): Figure => ({
    name,
    value: (timing.medianNs - times.bare.medianNs) / 1000,
    unit: 'µs',
    compared: { ...ratio(timing, times.bare), to: 'bare fetch in all' },
  });
  return [
    figure('added until the response is there', times.fetched),
    figure('added until the call is settled', times.settled),
  ];
}

/** Tool calls that write, on one store. */
interface Writer extends AsyncDisposable {
  /** Each call until its response is there. */
  readonly fetched: Batch;
  /** Each call until its outcome is durable. */
  readonly settled: Batch;
  /** Settles what is open, and resolves when the audit log says so. */
  quiet(): Promise<void>;
}

async function startWriter(baseUrl: string, store: Store): Promise<Writer> {
  let made = 0;
  let audited = 0;
  const open: GuardedCall[] = [];
  const bench = await startBenchTask({
    baseUrl,
    store,
    audited({ type }) {
      if (type === 'tool-call-settled') audited += 1;
    },
  });
  const { task, write: requirement } = bench;
  const run = task.startRun();

  async function fetchOnce(): Promise<GuardedCall> {
    made += 1;
    const input = { customer: 'c-1', amount: 1200 };
    const call = run.call({ requirement, toolName: 'create', toolCallId: `c${made}`, input });
    const response = await call.principal.fetch('invoices', { method: 'POST', body });
    await response.arrayBuffer();
    return call;
  }

  return {
    async fetched(operations) {
      for (let at = 0; at < operations; at += 1) open.push(await fetchOnce());
    },
    async settled(operations) {
      for (let at = 0; at < operations; at += 1) await (await fetchOnce()).settle({ ok: true });
    },
    async quiet() {
      for (const call of open.splice(0)) await call.settle({ ok: true });
      while (audited < made) await setImmediate();
    },
    [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose](),
  };
}
