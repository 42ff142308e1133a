import { createFakeClock, type FakeClock } from '@outlive/testing';
import { describe, expect, it } from 'vitest';
import type { Gate, GateSource, GateTimes, UserState } from '../src/gate.ts';
import { type SubjectCell, UserStates } from '../src/user-state.ts';
import type { Verdict } from '../src/verdict.ts';
import { alice, createLatch, noEvents } from './world.ts';

const id = 'hash of alice';
const standard: GateTimes = {
  timeoutMs: 2000,
  cacheMs: 5000,
  revalidateMs: 30_000,
  toleranceMs: { read: 120_000, reversible: 30_000, irreversible: 0 },
};

interface Setting {
  readonly clock: FakeClock;
  readonly states: UserStates;
  readonly cell: SubjectCell;
  readonly changes: readonly Verdict[];
  /** The state that was pushed. */
  reported: UserState | undefined;
  ask(): Promise<Verdict>;
}

function setUp(
  check: Gate | readonly GateSource[],
  times: Partial<GateTimes> = {},
  reported?: () => Promise<UserState | undefined>,
): Setting {
  const clock = createFakeClock();
  const changes: Verdict[] = [];
  const states = new UserStates({
    clock,
    sources: typeof check === 'function' ? [{ name: 'gate', check }] : check,
    times: { ...standard, ...times },
    ...noEvents,
    reported: async () => {
      const state = reported === undefined ? setting.reported : await reported();
      return state === undefined ? undefined : { state, source: 'pushed' };
    },
    changed: (_principal, verdict) => changes.push(verdict),
  });
  const setting: Setting = {
    clock,
    states,
    cell: states.cell(alice, id),
    changes,
    reported: undefined,
    ask: () => states.check(alice, id, 'claim'),
  };
  return setting;
}

function sources(...answers: readonly (UserState | Error)[]): GateSource[] {
  return answers.map((answer, at) => ({
    name: `source ${at}`,
    check: () => {
      if (answer instanceof Error) throw answer;
      return answer;
    },
  }));
}

describe('an answer of the gate', () => {
  it('is taken as it is, when it is one of the five', async () => {
    for (const state of ['active', 'paused', 'revoked', 'step_up', 'unknown'] as const)
      expect(await setUp(() => state).ask()).toMatchObject({ state });
  });

  it('is unknown when the gate throws, rejects, or says something else', async () => {
    const odd: readonly (() => never)[] = [
      'ACTIVE',
      '',
      'constructor',
      'toString',
      undefined,
      null,
      true,
      1,
      { state: 'active' },
    ].map((value) => () => value as never);
    const gates: readonly Gate[] = [
      () => {
        throw new Error('no directory');
      },
      () => Promise.reject(new Error('no directory')),
      ...odd,
    ];
    for (const gate of gates)
      expect(await setUp(gate).ask()).toEqual({ state: 'unknown', source: 'gate' });
  });

  it('is unknown when it does not come in time, and the gate is told to stop', async () => {
    let stopped = false;
    const { clock, ask } = setUp(
      (_principal, { signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            stopped = true;
          });
        }),
    );
    const asked = ask();
    await clock.advance(2000);
    expect(await asked).toEqual({ state: 'unknown', source: 'gate' });
    expect(stopped).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('says whom it is about, and when it is asked', async () => {
    const asked: unknown[] = [];
    const { states } = setUp((principal, { moment }) => {
      asked.push([principal, moment]);
      return 'active';
    });
    await states.check(alice, id, 'resume');
    expect(asked).toEqual([[alice, 'resume']]);
  });
});

describe('several sources', () => {
  it('give the most restrictive answer, and its source', async () => {
    const order = ['active', 'unknown', 'step_up', 'paused', 'revoked'] as const;
    for (const [one, first] of order.entries())
      for (const [other, second] of order.entries()) {
        const { state, source } = await setUp(sources(first, second)).ask();
        expect(state).toBe(order[Math.max(one, other)]);
        if (one !== other) expect(source).toBe(one > other ? 'source 0' : 'source 1');
      }
  });

  it('are unknown together when one of them cannot answer', async () => {
    expect(await setUp(sources('active', new Error('away'), 'active')).ask()).toEqual({
      state: 'unknown',
      source: 'source 1',
    });
  });

  it('are outdone by a state that was pushed', async () => {
    const setting = setUp(sources('active', 'paused'));
    setting.reported = 'revoked';
    expect(await setting.ask()).toEqual({ state: 'revoked', source: 'pushed' });
  });

  it('are unknown when nobody can tell what was pushed', async () => {
    const setting = setUp(sources('active'), {}, () => Promise.reject(new Error('store away')));
    expect((await setting.ask()).state).toBe('unknown');
  });
});

describe('asking', () => {
  it('is done once for all who ask at the same time', async () => {
    let asked = 0;
    const answer = createLatch();
    const { ask } = setUp(async (): Promise<UserState> => {
      asked += 1;
      await answer.opened;
      return 'active';
    });
    const all = Promise.all(Array.from({ length: 100 }, ask));
    answer.open();
    expect(new Set(await all).size).toBe(1);
    expect(asked).toBe(1);
  });

  it('is spared for 5 s after a positive answer, and no longer', async () => {
    let asked = 0;
    const { ask, clock } = setUp(() => {
      asked += 1;
      return 'active';
    });
    await ask();
    await clock.advance(4999);
    await ask();
    expect(asked).toBe(1);
    await clock.advance(1);
    await ask();
    expect(asked).toBe(2);
  });

  it('is never spared after any other answer', async () => {
    for (const state of ['paused', 'revoked', 'step_up', 'unknown'] as const) {
      let asked = 0;
      const { ask } = setUp(() => {
        asked += 1;
        return state;
      });
      await ask();
      await ask();
      expect(asked).toBe(2);
    }
  });

  it('is not spared when something was heard since', async () => {
    let state: UserState = 'active';
    const { ask, states } = setUp(() => state);
    await ask();
    state = 'revoked';
    states.distrust(id);
    expect(await ask()).toMatchObject({ state: 'revoked' });
  });

  it('is begun again when something was heard while it was under way', async () => {
    const first = createLatch();
    const asked: string[] = [];
    const setting = setUp(async (): Promise<UserState> => {
      asked.push('gate');
      if (asked.length === 1) await first.opened;
      return 'active';
    });
    const early = setting.ask();
    await setting.clock.advance(0);
    setting.reported = 'revoked';
    setting.states.distrust(id);
    const late = setting.ask();
    first.open();

    expect(await late).toMatchObject({ state: 'revoked', source: 'pushed' });
    expect(await early).toMatchObject({ state: 'revoked' });
    expect(setting.states.isTrusted(setting.cell)).toBe(false);
    expect(asked.length).toBe(2);
  });

  it('tells of every change of verdict, once', async () => {
    let state: UserState = 'active';
    const { ask, clock, changes } = setUp(() => state);
    for (const next of ['active', 'active', 'unknown', 'unknown', 'revoked', 'active'] as const) {
      state = next;
      await clock.advance(5000);
      await ask();
    }
    expect(changes.map((verdict) => verdict.state)).toEqual([
      'active',
      'unknown',
      'revoked',
      'active',
    ]);
  });
});

describe('what fast paths may believe', () => {
  it('is nothing before anybody asked', () => {
    const { cell, states } = setUp(() => 'active');
    expect(cell.verdict.state).toBe('unknown');
    expect(states.isTrusted(cell)).toBe(false);
  });

  it('is a positive answer until revalidation, counted from the question', async () => {
    const { ask, cell, clock, states } = setUp(async (): Promise<UserState> => {
      await answer.opened;
      return 'active';
    });
    const answer = createLatch();
    const asked = ask();
    await clock.advance(1500);
    answer.open();
    await asked;
    expect(states.trustedUntilMs(cell)).toBe(standard.revalidateMs);
    expect(states.isTrusted(cell)).toBe(true);
  });

  it('is never a negative one', async () => {
    const { ask, cell, states } = setUp(() => 'paused');
    await ask();
    expect(states.isTrusted(cell)).toBe(false);
  });

  it('is asked for again at half of its time', async () => {
    const { ask, cell, clock, states } = setUp(() => 'active');
    await ask();
    await clock.advance(14_999);
    expect(states.wantsRevalidation(cell)).toBe(false);
    await clock.advance(1);
    expect(states.wantsRevalidation(cell)).toBe(true);
  });
});

describe('an unknown state', () => {
  async function unknownAfter(ms: number, state: UserState = 'unknown') {
    let answer: UserState = 'active';
    const { ask, cell, clock, states } = setUp(() => answer);
    await ask();
    answer = state;
    await clock.advance(ms);
    await ask();
    return (['read', 'reversible', 'irreversible'] as const).filter((effect) =>
      states.tolerates(cell, effect),
    );
  }

  it('is tolerated for a while after the last positive answer, the longer the less can go wrong', async () => {
    expect(await unknownAfter(5000)).toEqual(['read', 'reversible']);
    expect(await unknownAfter(29_999)).toEqual(['read', 'reversible']);
    expect(await unknownAfter(30_000)).toEqual(['read']);
    expect(await unknownAfter(119_999)).toEqual(['read']);
    expect(await unknownAfter(120_000)).toEqual([]);
  });

  it('is not tolerated where there was no positive answer', async () => {
    const { ask, cell, states } = setUp(() => 'unknown');
    await ask();
    expect(states.tolerates(cell, 'read')).toBe(false);
  });

  it('is tolerated, a denial never is', async () => {
    for (const state of ['paused', 'revoked', 'step_up'] as const)
      expect(await unknownAfter(5000, state)).toEqual([]);
  });
});
