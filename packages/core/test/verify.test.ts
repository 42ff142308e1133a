import { describe, expect, it } from 'vitest';
import { memoryStore } from '../src/memory-store.ts';
import type { Store } from '../src/store.ts';
import { alice, createWorld, reading, untilUnusableMs } from './world.ts';

/** A store in which somebody can change, or take away, what was appended. */
function tamperedStore() {
  const honest = memoryStore();
  let forged: { stream: string; sequence: number; value: string | undefined } | undefined;
  const store: Store = {
    ...honest,
    async *read(stream, from) {
      for await (const entry of honest.read(stream, from)) {
        const hit = entry.sequence === forged?.sequence && stream === forged.stream;
        if (!hit) yield entry;
        else if (forged?.value !== undefined) yield { ...entry, value: forged.value };
      }
    },
  };
  return {
    store,
    change(stream: string, sequence: number, edit: (value: string) => string | undefined) {
      return (async () => {
        for await (const entry of honest.read(stream, sequence))
          if (entry.sequence === sequence) forged = { stream, sequence, value: edit(entry.value) };
      })();
    },
  };
}

/** A task that refreshed once, was paused for its revoked person, and ended; and its record. */
async function recordedTask(store: Store) {
  const world = await createWorld({ process: { store } });
  const process = world.start();
  await world.grant(process);
  const task = await world.task(process);
  world.clock.skip(untilUnusableMs);
  await task.getAccessToken(reading);
  await process.outlive.reportUserState(alice, { state: 'revoked', source: 'hr' });
  const run = task.startRun();
  const call = { requirement: reading, toolName: 'list', toolCallId: 'c1', input: {} };
  await expect(run.call(call).principal.fetch('items')).rejects.toThrow(/auth:user_state/);
  await task.cancel();
  const { verified, text } = await process.outlive.explain(task.id);
  return { world, process, task, text, streams: verified.map(({ stream }) => stream) };
}

describe('the record of a task', () => {
  it('is whole as it was written, with what happened to its grant and its person', async () => {
    const { store } = tamperedStore();
    const { world, process, task, text, streams } = await recordedTask(store);
    await using _ = world;

    expect(streams.map((stream) => stream.split(':')[0])).toEqual(['task', 'grant', 'subject']);
    expect(text).toMatch(/the person is now revoked/);
    expect(text).not.toMatch(/the person is now active/);
    expect(await process.outlive.verify(task.id)).toMatchObject({ ok: true, stream: streams[0] });
  });

  it.each([
    ['task', 2],
    ['grant', 2],
    ['subject', 1],
  ])('shows a changed entry in the stream of its %s', async (kind, sequence) => {
    const { store, change } = tamperedStore();
    const { world, process, task, streams } = await recordedTask(store);
    await using _ = world;
    const stream = streams.find((name) => name.startsWith(kind)) ?? '';

    await change(stream, sequence, (value) => value.replace(/"at":\d/, '"at":9'));

    expect(await process.outlive.verify(task.id)).toMatchObject({
      ok: false,
      stream,
      sequence,
      problem: 'changed',
    });
    expect((await process.outlive.explain(task.id)).text).toContain('THE RECORD IS DAMAGED');
  });

  it.each(['task', 'grant'])('shows a removed entry in the stream of its %s', async (kind) => {
    const { store, change } = tamperedStore();
    const { world, process, task, streams } = await recordedTask(store);
    await using _ = world;
    const stream = streams.find((name) => name.startsWith(kind)) ?? '';

    await change(stream, 2, () => undefined);

    expect(await process.outlive.verify(task.id)).toMatchObject({
      ok: false,
      stream,
      problem: 'missing',
    });
  });

  it('of which nothing was written is nothing to verify', async () => {
    await using world = await createWorld();
    const { outlive } = world.start();
    expect(await outlive.verify('nobody')).toEqual({ ok: true, stream: 'task:nobody', entries: 0 });
  });
});
