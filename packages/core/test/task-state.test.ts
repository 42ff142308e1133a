import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Pause } from '../src/pause-record.ts';
import { applied, deadlineOf, type TaskRecord, taskIndex } from '../src/task-record.ts';
import { hasEnded, type TaskEvent, type TaskStatus, transition } from '../src/task-state.ts';

const statuses: readonly TaskStatus[] = [
  'active',
  'paused',
  'completed',
  'cancelled',
  'failed',
  'expired',
];
const eventNames: readonly TaskEvent[] = [
  'pause',
  'resume',
  'complete',
  'cancel',
  'fail',
  'expire',
];
const finals: readonly TaskStatus[] = ['completed', 'cancelled', 'failed', 'expired'];
const history = fc.array(
  fc.record({
    event: fc.constantFrom(...eventNames),
    afterMs: fc.integer({ min: 0, max: 1_000_000 }),
  }),
  { maxLength: 30 },
);
const budgetMs = 1_200_000;

const pause: Pause = {
  id: 't.p',
  taskId: 't',
  reason: { code: 'user_state', recovery: 'approver' },
  status: 'open',
  requires: ['admin'],
  steps: [{ roles: ['admin'] }],
  step: 0,
  notices: [],
  confirmedBy: [],
  openedAt: 0,
};

function started(lifetimeMs = Number.MAX_SAFE_INTEGER): TaskRecord {
  return {
    id: 't',
    principal: { subject: 'alice' },
    subject: 'hash',
    agent: 'agent',
    account: 'default',
    authorities: [],
    status: 'active',
    attempt: 0,
    createdAt: 0,
    activeBudgetMs: budgetMs,
    activeUsedMs: 0,
    activeSince: 0,
    lifetimeEndsAt: lifetimeMs,
  };
}

interface Moment {
  readonly record: TaskRecord;
  readonly event: TaskEvent;
  readonly next: TaskRecord | undefined;
  readonly now: number;
}

/** Calls `check` with every step of every history. */
function throughHistories(check: (moment: Moment, story: readonly Moment[]) => void): void {
  fc.assert(
    fc.property(history, (steps) => {
      let record = started();
      let now = 0;
      const story: Moment[] = [];
      for (const { event, afterMs } of steps) {
        now += afterMs;
        const next = applied(record, event, { now, pause, endReason: 'because' });
        const moment = { record, event, next, now };
        story.push(moment);
        check(moment, story);
        record = next ?? record;
      }
    }),
  );
}

describe('the states of a task', () => {
  it('end in four, and nothing can happen in those', () => {
    for (const status of statuses) {
      expect(hasEnded(status)).toBe(finals.includes(status));
      for (const event of eventNames)
        if (finals.includes(status)) expect(transition(status, event)).toBeUndefined();
    }
  });

  it('let an active task pause or end, and a paused one resume or end unfinished', () => {
    const possible = Object.fromEntries(
      statuses.map((status) => [
        status,
        eventNames.filter((event) => transition(status, event) !== undefined),
      ]),
    );
    expect(possible['active']).toEqual(['pause', 'complete', 'cancel', 'fail', 'expire']);
    expect(possible['paused']).toEqual(['resume', 'cancel', 'fail', 'expire']);
  });
});

describe('the record of a task, through any history', () => {
  it('stays as it ended', () => {
    throughHistories(({ record, next }) => {
      if (hasEnded(record.status)) expect(next).toBeUndefined();
    });
  });

  it('changes exactly when its state allows the event', () => {
    throughHistories(({ record, event, next }) => {
      expect(next?.status).toBe(transition(record.status, event));
    });
  });

  it('counts one attempt with each resumption and none otherwise', () => {
    throughHistories(({ record, next }, story) => {
      const resumed = story.filter((one) => one.event === 'resume' && one.next !== undefined);
      expect((next ?? record).attempt).toBe(resumed.length);
    });
  });

  it('uses up its time while it is active, and none while it waits', () => {
    throughHistories(({ record, next }, story) => {
      let activeMs = 0;
      let before = 0;
      for (const moment of story) {
        if (moment.record.status === 'active' && moment.next !== undefined)
          activeMs += moment.now - (moment.record.activeSince ?? 0);
        before = moment.now;
      }
      const current = next ?? record;
      expect(current.activeUsedMs).toBe(activeMs);
      if (current.status === 'active')
        expect(deadlineOf(current) - (current.activeSince ?? before)).toBe(budgetMs - activeMs);
    });
  });

  it('has the same time left when it resumes as when it was paused', () => {
    throughHistories(({ record, event, next, now }, story) => {
      if (event !== 'resume' || next === undefined) return;
      const paused = story.findLast((one) => one.event === 'pause' && one.next === record);
      const left = (at: TaskRecord, instant: number): number => deadlineOf(at) - instant;
      expect(left(next, now)).toBe(left(paused?.record ?? record, paused?.now ?? 0));
    });
  });

  it('names its pause exactly while it is paused', () => {
    throughHistories(({ record, next }) => {
      const current = next ?? record;
      expect(current.pause).toEqual(current.status === 'paused' ? pause : undefined);
    });
  });

  it('says when and why it ended, and is looked at again until its authority has ended too', () => {
    throughHistories(({ next, now }) => {
      if (next === undefined || !hasEnded(next.status)) return;
      expect(next).toMatchObject({ endedAt: now, endReason: 'because' });
      expect(next.activeSince).toBeUndefined();
      expect(taskIndex(next).dueAt).toBeGreaterThan(now);
      // What is over is no work, but what retention counts from.
      expect(taskIndex({ ...next, authorityEnded: true })).toMatchObject({
        kind: 'ended-task',
        dueAt: now,
      });
    });
  });
});

describe('the deadline of a task', () => {
  it('is never later than the end of its life, active or paused', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000_000 }), (lifetimeMs) => {
        const active = started(lifetimeMs);
        expect(deadlineOf(active)).toBe(Math.min(budgetMs, lifetimeMs));
        const paused = applied(active, 'pause', { now: 0, pause });
        expect(paused === undefined ? 0 : deadlineOf(paused)).toBe(lifetimeMs);
      }),
    );
  });

  it('does not come later when the wall clock jumps back', () => {
    const paused = applied({ ...started(), activeSince: 5000 }, 'pause', { now: 1000, pause });
    expect(paused?.activeUsedMs).toBe(0);
  });
});

describe('a pause without its record', () => {
  it('is refused: a paused task always says what it waits for', () => {
    expect(applied(started(), 'pause', { now: 1 })).toBeUndefined();
  });
});
