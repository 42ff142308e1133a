import { describe, expect, it } from 'vitest';
import { memoryStore } from '../src/memory-store.ts';
import type { Store } from '../src/store.ts';
import type { StreamHead } from '../src/verify.ts';
import { alice, createWorld, reading, untilUnusableMs } from './world.ts';

/** A store in which somebody can change, or take away, what was appended. */
function tamperedStore() {
  const honest = memoryStore();
  let forged: { stream: string; sequence: number; value: string | undefined } | undefined;
  let gone: { stream: string; from: number } | undefined;
  const isGone = (stream: string, sequence: number): boolean =>
    stream === gone?.stream && sequence >= gone.from;
  const store: Store = {
    ...honest,
    async last(stream) {
      const last = await honest.last(stream);
      if (last === undefined || !isGone(stream, last.sequence)) return last;
      let newest: typeof last | undefined;
      for await (const entry of store.read(stream, 1)) newest = entry;
      return newest;
    },
    async *read(stream, from) {
      for await (const entry of honest.read(stream, from)) {
        if (isGone(stream, entry.sequence)) return;
        const hit = entry.sequence === forged?.sequence && stream === forged.stream;
        if (!hit) yield entry;
        else if (forged?.value !== undefined) yield { ...entry, value: forged.value };
      }
    },
  };
  return {
    store,
    cut(stream: string, from: number) {
      gone = { stream, from };
    },
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

  it.each(['task', 'grant', 'subject'])(
    'shows that the end of the stream of its %s was cut off, but only to who has kept its head',
    async (kind) => {
      const { store, cut } = tamperedStore();
      const { world, process, task } = await recordedTask(store);
      await using _ = world;
      const anchors = await process.outlive.auditHeads(task.id);
      const head = anchors.find(({ stream }) => stream.startsWith(kind));
      if (head === undefined) throw new Error(`no head of a ${kind} stream`);
      const { stream, sequence } = head;
      expect(await process.outlive.verify(task.id, { anchors })).toMatchObject({ ok: true });

      cut(stream, sequence);

      expect(await process.outlive.verify(task.id)).toMatchObject({ ok: true });
      expect(await process.outlive.verify(task.id, { anchors })).toEqual({
        ok: false,
        stream,
        sequence,
        problem: 'missing',
      });
    },
  );

  it('shows also to who has kept its heads that all of it is gone', async () => {
    const { store, cut } = tamperedStore();
    const { world, process, task } = await recordedTask(store);
    await using _ = world;
    const anchors = await process.outlive.auditHeads(task.id);
    cut(`task:${task.id}`, 1);
    const [, grant] = anchors;
    expect(await process.outlive.auditHeads(task.id)).toEqual([]);
    expect(await process.outlive.verify(task.id)).toMatchObject({ ok: true, entries: 0 });
    expect(await process.outlive.verify(task.id, { anchors })).toMatchObject({
      ok: false,
      stream: `task:${task.id}`,
      sequence: 1,
    });
    // Each stream stands for itself, also where nothing says any more that it is the task's.
    const cutToo = { ...grant, stream: grant?.stream ?? '', hash: 'x', sequence: 1 };
    expect(await process.outlive.verify(task.id, { anchors: [cutToo] })).toMatchObject({
      ok: false,
      stream: cutToo.stream,
    });
  });

  it('may be longer than when its heads were kept', async () => {
    const { store } = tamperedStore();
    const { world, process, task } = await recordedTask(store);
    await using _ = world;
    const anchors = await process.outlive.auditHeads(task.id);
    await process.outlive.reportUserState(alice, { state: 'active', source: 'hr' });
    await world.task(process).then((next) => next.getAccessToken(reading));
    expect(await process.outlive.verify(task.id, { anchors })).toMatchObject({ ok: true });
    const [own] = anchors;
    await expect(
      process.outlive.verify(task.id, { anchors: [{ ...own, sequence: 0 } as StreamHead] }),
    ).rejects.toMatchObject({ paths: ['anchors.0.sequence'] });
  });

  it('of which nothing was written is nothing to verify', async () => {
    await using world = await createWorld();
    const { outlive } = world.start();
    expect(await outlive.verify('nobody')).toEqual({ ok: true, stream: 'task:nobody', entries: 0 });
  });
});
