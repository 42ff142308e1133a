import { createFakeClock } from '@outlive/testing';
import { describe, expect, it } from 'vitest';
import { UserStates } from '../src/user-state.ts';
import { alice, noEvents } from './world.ts';

describe('a gate that falls silent', () => {
  const setUp = (answer: () => 'active' | 'revoked' | 'unknown') => {
    const clock = createFakeClock();
    const states = new UserStates({
      clock,
      sources: [{ name: 'gate', check: answer }],
      times: {
        timeoutMs: 2000,
        cacheMs: 5000,
        revalidateMs: 30_000,
        toleranceMs: { read: 120_000, reversible: 30_000, irreversible: 0 },
      },
      ...noEvents,
    });
    return { clock, states, cell: states.cell(alice, 'id') };
  };

  it('is not tolerated once it has said no', async () => {
    let state: 'active' | 'revoked' | 'unknown' = 'active';
    const { states, cell, clock } = setUp(() => state);
    await states.check(alice, 'id', 'claim');
    await clock.advance(6000);
    state = 'revoked';
    await states.check(alice, 'id', 'claim');
    expect(states.tolerates(cell, 'read')).toBe(false);
    state = 'unknown';
    await states.check(alice, 'id', 'claim');
    expect(states.tolerates(cell, 'read')).toBe(false);
  });

  it('is not tolerated after news of the person', async () => {
    let state: 'active' | 'revoked' | 'unknown' = 'active';
    const { states, cell } = setUp(() => state);
    await states.check(alice, 'id', 'claim');
    states.hear('id');
    state = 'unknown';
    await states.check(alice, 'id', 'claim');
    expect(states.tolerates(cell, 'read')).toBe(false);
  });
});

describe('a machine that slept', () => {
  it('asks the gate again, whichever clock stood still', async () => {
    const clock = createFakeClock();
    let asked = 0;
    const slept = { ms: 0 };
    const states = new UserStates({
      clock: {
        ...clock,
        now: () => clock.now() + slept.ms,
        monotonicMs: () => clock.monotonicMs(),
        schedule: (c, d) => clock.schedule(c, d),
      },
      sources: [
        {
          name: 'gate',
          check: () => {
            asked += 1;
            return 'active';
          },
        },
      ],
      times: {
        timeoutMs: 2000,
        cacheMs: 5000,
        revalidateMs: 30_000,
        toleranceMs: { read: 1, reversible: 1, irreversible: 0 },
      },
      ...noEvents,
    });
    await states.check(alice, 'id', 'claim');
    slept.ms = 8 * 3_600_000;
    await states.check(alice, 'id', 'claim');
    expect(asked).toBe(2);
  });
});
