import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../src/index.ts';

describe('a fake clock', () => {
  it('stands still until it is advanced', async () => {
    const clock = createFakeClock(1_000);
    expect([clock.now(), clock.monotonicMs()]).toEqual([1_000, 0]);
    await clock.advance(250);
    expect([clock.now(), clock.monotonicMs()]).toEqual([1_250, 250]);
  });

  it('runs what falls due in order, each at its own time', async () => {
    const clock = createFakeClock(0);
    const ran: [string, number][] = [];
    const run = (name: string) => () => void ran.push([name, clock.now()]);
    clock.schedule(run('late'), 30);
    clock.schedule(run('early'), 10);
    clock.schedule(run('with early'), 10);
    clock.schedule(run('too late'), 31);

    await clock.advance(30);
    expect(ran).toEqual([
      ['early', 10],
      ['with early', 10],
      ['late', 30],
    ]);
    expect(clock.pending).toBe(1);
  });

  it('runs what is scheduled meanwhile, also after promises have settled', async () => {
    const clock = createFakeClock(0);
    const ran: number[] = [];
    const tick = async (): Promise<void> => {
      for (let round = 0; round < 3; round += 1) {
        await new Promise<void>((resolve) => clock.schedule(resolve, 10));
        await Promise.resolve();
        ran.push(clock.now());
      }
    };
    const ticking = tick();
    await clock.advance(25);
    expect(ran).toEqual([10, 20]);
    await clock.advance(5);
    await ticking;
    expect(ran).toEqual([10, 20, 30]);
  });

  it('does not run what was cancelled', async () => {
    const clock = createFakeClock();
    let ran = false;
    const cancel = clock.schedule(() => {
      ran = true;
    }, 10);
    cancel();
    await clock.advance(20);
    expect(ran).toBe(false);
  });

  it('jumps on the wall without moving what it measures or runs', async () => {
    const clock = createFakeClock(10_000);
    let ranAt = 0;
    clock.schedule(() => {
      ranAt = clock.monotonicMs();
    }, 100);
    clock.jump(-5_000);
    expect([clock.now(), clock.monotonicMs()]).toEqual([5_000, 0]);
    clock.jump(60_000);
    expect(ranAt).toBe(0);
    await clock.advance(100);
    expect([ranAt, clock.now()]).toEqual([100, 65_100]);
  });

  it('passes on what a callback throws', async () => {
    const clock = createFakeClock(0);
    clock.schedule(() => {
      throw new Error('broken callback');
    }, 10);
    await expect(clock.advance(20)).rejects.toThrow('broken callback');
    expect(clock.now()).toBe(10);
  });

  it('refuses to go back', async () => {
    await expect(createFakeClock().advance(-1)).rejects.toThrow('not -1');
    expect(() => createFakeClock(Number.NaN)).toThrow('startMs');
  });
});
