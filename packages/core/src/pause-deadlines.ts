import type { Pause } from './pause-record.ts';
import { nextStep, pauseEndsAt } from './pause-steps.ts';
import { isClosed, type PauseContext } from './pauses.ts';

/** What the time has done to a pause. */
export type PauseProgress = 'unchanged' | 'advanced' | 'expired';

/**
 * Begins the step whose time has come, and gives up a pause that nobody decided, with its task. Any process may do
 * so at any time: each change is one swap of the pause, so it happens once.
 */
export async function keepDeadlines(
  context: PauseContext,
  pauseId: string,
): Promise<PauseProgress> {
  const { runtime, tasks, pauses } = context;
  const { clock, notifiers } = runtime;
  for (;;) {
    const found = await pauses.get(pauseId);
    if (found === undefined) return 'unchanged';
    const { version, value: pause, index } = found;
    if (isClosed(pause)) {
      // Whoever closed it may have died before it could end the task.
      if (index.dueAt !== undefined) await pauses.endTaskOf(pause, version);
      return 'unchanged';
    }
    if (pause.status !== 'open' && pause.status !== 'decided') return 'unchanged';
    const now = clock.now();
    if (now >= pauseEndsAt(pause)) {
      const expired: Pause = { ...pause, status: 'expired' };
      if (!(await pauses.write(expired, version))) continue;
      tasks.audit(await pauses.taskOf(expired), { type: 'pause-expired', pauseId });
      await pauses.endTaskOf(expired, version + 1);
      return 'expired';
    }
    const names = notifiers.map(({ name }) => name);
    const next = nextStep(pause, names, now);
    if (next === undefined) return 'unchanged';
    if (!(await pauses.write(next, version))) continue;
    tasks.audit(await pauses.taskOf(next), {
      type: 'escalation-advanced',
      pauseId,
      outcome: next.requires.join(', '),
      reason: `${pause.requires.join(', ')} did not decide in time`,
    });
    return 'advanced';
  }
}
