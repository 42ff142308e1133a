import { describe, expect, it } from 'vitest';
import { runChaos } from './chaos.ts';

/**
 * A short run; `pnpm chaos` is for long ones, and for the stores with a server. What an auditor finds who has nothing but
 * the log of the run, and where it contradicts what issuer and API saw, is among the problems.
 */
const run = { store: 'sqlite', seconds: 12, seed: 20_26 } as const;

describe('workers that are killed and stopped all the time', () => {
  it('lose no grant at an issuer with leeway', async () => {
    const result = await runChaos({ ...run, issuer: 'leeway' });

    expect(result.problems).toEqual([]);
    expect(result).toMatchObject({ lostOfThoseWhoStayed: 0, expiredHandedOut: 0 });
    expect(result.kills).toBeGreaterThan(0);
    expect(result.stalls).toBeGreaterThan(0);
    // Otherwise the audit would prove little.
    expect(result.offboarded).toBeGreaterThan(0);
    expect(result.audit.tasks).toBe(result.grants);
    expect(result.audit.decisions).toBeGreaterThan(0);
    expect(result.audit.calls).toMatchObject({
      'irreversible done': expect.any(Number),
      'irreversible refused': expect.any(Number),
      'read done': expect.any(Number),
    });
  }, 240_000);

  it('lose only what was under way when they died at a strict issuer, and the audit log says so', async () => {
    const result = await runChaos({ ...run, issuer: 'strict' });

    expect(result.problems).toEqual([]);
    expect(result).toMatchObject({ expiredHandedOut: 0, unrecordedPresentations: 0 });
    expect(result.kills).toBeGreaterThan(0);
  }, 240_000);
});
