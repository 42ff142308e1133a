import type { Outlive } from '@outlive/core';

/** Confirms every pause that waits for people, as two of them, and resumes whatever may go on. */
export async function letTasksGoOn(outlive: Outlive): Promise<void> {
  for await (const { id } of outlive.waitingPauses()) {
    const { status } = await outlive.decide(id, { decision: 'resume', by: 'root' });
    if (status === 'waiting') await outlive.decide(id, { decision: 'resume', by: 'operator' });
    await outlive.resume(id);
  }
}
