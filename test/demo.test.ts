import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../examples/long-task/src/main.ts', import.meta.url));
const timeoutMs = 120_000;

/** Runs the demo as a person does, and reads the figures from the last line. */
function demo(
  ...flags: readonly string[]
): Promise<{ exitStatus: number | string; figures: Record<string, unknown>; output: string }> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [main, '--json', ...flags], (error, output, problems) => {
      const last = output.trimEnd().split('\n').at(-1) ?? '';
      if (!last.startsWith('{')) reject(new Error(`no figures:\n${output}\n${problems}`));
      else resolve({ exitStatus: error?.code ?? 0, figures: JSON.parse(last), output });
    });
  });
}

describe('the demo', () => {
  it('does all the work with one pause, no reuse, no killed grant and no token left behind', {
    timeout: timeoutMs,
  }, async () => {
    const { exitStatus, figures, output } = await demo();
    expect(figures).toEqual({
      steps: 40,
      stepsDone: 40,
      processes: 4,
      generations: figures['refreshRequests'],
      refreshRequests: expect.any(Number),
      reuseDetected: 0,
      grantsKilled: 0,
      modelCallsWhilePaused: 0,
      duplicateSideEffects: 0,
      outcome: 'completed',
      tokensFoundInArtifacts: 0,
      ms: expect.any(Number),
    });
    expect(figures['generations']).toBeGreaterThan(2);
    expect(exitStatus).toBe(0);
    for (const line of ['OFFBOARDED', 'PAUSED', 'REINSTATED', 'CONFIRMED', 'RESUMED', 'COMPLETED'])
      expect(output).toContain(line);
    expect(output).toMatch(/Verified: \d+ entries/);
    // Not a terminal: plain text, no escape sequences.
    expect(output).not.toContain('\u001b');
  });

  it('shows how the same job fails without Outlive, and that the model reports success', {
    timeout: timeoutMs,
  }, async () => {
    const { exitStatus, figures, output } = await demo('--naive');
    expect(figures).toMatchObject({
      steps: 40,
      processes: 2,
      reuseDetected: 1,
      grantsKilled: 1,
      outcome: 'false success',
    });
    expect(figures['stepsDone']).toBeLessThan(40);
    // The search that found nothing in the other run does find tokens where there are some.
    expect(figures['tokensFoundInArtifacts']).toBeGreaterThan(0);
    expect(output).toContain('All done');
    expect(exitStatus).toBe(0);
  });
});
