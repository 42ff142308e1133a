import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  accessTokenSlot,
  canAdoptLate,
  claimed,
  dead,
  deferred,
  freshness,
  type GrantDeath,
  type GrantRecord,
  type RefreshAttempt,
  recovering,
  settled,
} from '../src/grant-record.ts';
import { Secret } from '../src/secret.ts';

type Step =
  | 'claimed'
  | 'recovering'
  | 'deferred'
  | 'settled'
  | 'settled without a new one'
  | 'dead';

const steps: fc.Arbitrary<Step> = fc.constantFrom(
  'claimed',
  'recovering',
  'deferred',
  'settled',
  'settled without a new one',
  'dead',
);
const deaths: readonly GrantDeath[] = [
  'rejected',
  'step_up_required',
  'rotated_pair_lost',
  'in_doubt',
  'refresh_token_missing',
  'revoked',
];
const timing = { now: 0, issuedAt: 0, defaultLifetimeMs: 1000, jitter: 0.5 };

function attemptOf(number: number, previous: readonly string[] = []): RefreshAttempt {
  return {
    id: `attempt-${number}`,
    owner: 'process',
    slot: { key: `slot-${number % 3}` },
    startedAt: number,
    firstStartedAt: number,
    fingerprint: 'parent',
    previous,
    presentedAgain: false,
    failures: 0,
  };
}

function firstRecord(): GrantRecord {
  return {
    kind: 'rotating',
    provider: 'p',
    principal: { subject: 'alice' },
    account: 'default',
    refreshToken: new Secret('refresh-0'),
    generation: 0,
    slots: {},
    grantedAt: 0,
    state: { status: 'idle' },
  };
}

function after(record: GrantRecord, step: Step, number: number): GrantRecord {
  const tokens = {
    accessToken: new Secret(`access-${number}`),
    tokenType: 'bearer',
    expiresInMs: 1000,
  };
  const at = { ...timing, now: number * 300, issuedAt: number * 300 };
  const failure = { now: number, retryAfterMs: 1, failures: 1, kind: 'transient', error: 'e' };
  switch (step) {
    case 'claimed':
      return claimed(record, attemptOf(number));
    case 'recovering':
      return recovering(record, attemptOf(number));
    case 'deferred':
      return deferred(record, failure);
    case 'settled':
      return settled(
        record,
        attemptOf(number).slot,
        { ...tokens, refreshToken: new Secret(`refresh-${number}`) },
        at,
      );
    case 'settled without a new one':
      return settled(record, attemptOf(number).slot, tokens, at);
    case 'dead':
      return dead(record, deaths[number % deaths.length] ?? 'revoked', 'e', number);
  }
}

/** Calls `check` with every step of every history. */
function throughHistories(
  check: (before: GrantRecord, step: Step, next: GrantRecord, number: number) => void,
): void {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 40 }), (history) => {
      let record = firstRecord();
      for (const [number, step] of history.entries()) {
        const next = after(record, step, number + 1);
        check(record, step, next, number + 1);
        record = next;
      }
    }),
  );
}

describe('the record of a grant, through any history', () => {
  it('counts one generation with each new pair, and none otherwise', () => {
    throughHistories((before, step, next) => {
      expect(next.generation - before.generation).toBe(step.startsWith('settled') ? 1 : 0);
    });
  });

  it('never drops the refresh token, also not when it is dead', () => {
    let newest = '';
    throughHistories((before, step, next, number) => {
      if (number === 1) newest = before.refreshToken?.reveal() ?? '';
      if (step === 'settled') newest = `refresh-${number}`;
      expect(next.refreshToken?.reveal()).toBe(newest);
    });
  });

  it('leaves a claim only by settling it, by doubt or by death, never by itself', () => {
    throughHistories((before, step, next) => {
      if (before.state.status !== 'refreshing' && before.state.status !== 'recovering') return;
      if (next.state.status === 'idle')
        expect(['settled', 'settled without a new one', 'deferred']).toContain(step);
    });
  });

  it('holds no access token once it is dead, and remembers the presentation that ended it', () => {
    throughHistories((before, step, next) => {
      if (step !== 'dead') return;
      expect(next.slots).toEqual({});
      const known = 'attempt' in before.state ? before.state.attempt : undefined;
      expect('attempt' in next.state ? next.state.attempt : undefined).toEqual(known);
    });
  });

  it('replaces the slot that was refreshed, and keeps those of others until they expire', () => {
    throughHistories((before, step, next, number) => {
      if (!step.startsWith('settled')) return;
      const own = attemptOf(number).slot.key;
      expect(next.slots[own]?.generation).toBe(next.generation);
      for (const [key, slot] of Object.entries(before.slots)) {
        if (key === own) continue;
        if (slot.expiresAt > number * 300) expect(next.slots[key]).toBe(slot);
        else expect(next.slots).not.toHaveProperty(key);
      }
    });
  });

  it('is changed by copies: an earlier record stays as it was', () => {
    throughHistories((before, step, _next, number) => {
      const copy = { ...before, slots: { ...before.slots }, state: { ...before.state } };
      after(before, step, number);
      expect(before).toEqual(copy);
    });
  });
});

describe('the windows of an access token', () => {
  const lifetimes = fc.integer({ min: 1, max: 10 * 365 * 24 * 3_600_000 });
  const jitters = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const instants = fc.integer({ min: 0, max: 4_000_000_000_000 });

  function slotOf(issuedAt: number, expiresInMs: number, jitter: number) {
    const tokens = { accessToken: new Secret('a'), tokenType: 'bearer', expiresInMs };
    return accessTokenSlot(tokens, 1, undefined, { ...timing, issuedAt, jitter });
  }

  it('follow each other for every lifetime and jitter', () => {
    fc.assert(
      fc.property(instants, lifetimes, jitters, (issuedAt, lifetime, jitter) => {
        const slot = slotOf(issuedAt, lifetime, jitter);
        expect(slot.issuedAt).toBeLessThan(slot.dueAt);
        expect(slot.dueAt).toBeLessThan(slot.unusableAt);
        expect(slot.unusableAt).toBeLessThan(slot.expiresAt);
        expect(slot.expiresAt).toBe(issuedAt + lifetime);
      }),
    );
  });

  it('make a token due between 70 and 80 % of its lifetime', () => {
    fc.assert(
      fc.property(lifetimes, jitters, (lifetime, jitter) => {
        const { dueAt } = slotOf(0, lifetime, jitter);
        expect(dueAt).toBeGreaterThanOrEqual(lifetime * 0.7);
        expect(dueAt).toBeLessThanOrEqual(lifetime * (0.8 + Number.EPSILON));
      }),
    );
  });

  it('stop its use 5 % before it expires, and at most 5 s', () => {
    fc.assert(
      fc.property(lifetimes, jitters, (lifetime, jitter) => {
        const slot = slotOf(0, lifetime, jitter);
        expect(slot.expiresAt - slot.unusableAt).toBeCloseTo(Math.min(5000, lifetime * 0.05), 3);
      }),
    );
  });

  it('are fresh, then due, then unusable, and never go back', () => {
    const order = { fresh: 0, due: 1, unusable: 2 };
    fc.assert(
      fc.property(lifetimes, jitters, lifetimes, lifetimes, (lifetime, jitter, one, other) => {
        const slot = slotOf(0, lifetime, jitter);
        const [early, late] = one < other ? [one, other] : [other, one];
        expect(order[freshness(slot, early)]).toBeLessThanOrEqual(order[freshness(slot, late)]);
        expect(freshness(slot, slot.issuedAt)).toBe('fresh');
        expect(freshness(slot, slot.dueAt)).toBe('due');
        expect(freshness(slot, slot.unusableAt)).toBe('unusable');
      }),
    );
  });

  it('use the default where the issuer says no lifetime', () => {
    const tokens = { accessToken: new Secret('a'), tokenType: 'bearer' };
    expect(accessTokenSlot(tokens, 1, ['read'], timing)).toMatchObject({
      expiresAt: timing.defaultLifetimeMs,
      scopes: ['read'],
    });
  });
});

describe('a pair that arrives late', () => {
  const ids = fc.integer({ min: 0, max: 5 });
  const statuses = fc.constantFrom('idle', 'refreshing', 'recovering', ...deaths);

  it('is adopted only where its own lineage still waits for it', () => {
    fc.assert(
      fc.property(
        statuses,
        ids,
        fc.array(ids),
        ids,
        fc.boolean(),
        (status, current, previous, late, sameParent) => {
          const attempt = attemptOf(
            current,
            previous.map((id) => `attempt-${id}`),
          );
          const claimedRecord = claimed(firstRecord(), attempt);
          const death = deaths.find((one) => one === status);
          const record =
            status === 'idle'
              ? firstRecord()
              : status === 'refreshing'
                ? claimedRecord
                : death === undefined
                  ? recovering(firstRecord(), attempt)
                  : dead(claimedRecord, death, 'e', 0);
          const arriving = { ...attemptOf(late), fingerprint: sameParent ? 'parent' : 'other' };
          const related = late === current || previous.includes(late);
          const waiting = ['refreshing', 'recovering', 'in_doubt', 'rotated_pair_lost'];
          expect(canAdoptLate(record, arriving)).toBe(
            sameParent && related && waiting.includes(status),
          );
        },
      ),
    );
  });

  it('is not adopted by a grant that died without a presentation', () => {
    const record = dead(firstRecord(), 'in_doubt', 'e', 0);
    expect(canAdoptLate(record, attemptOf(1))).toBe(false);
  });
});
