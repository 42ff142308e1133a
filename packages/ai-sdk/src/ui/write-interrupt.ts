import type { AuthError, RunOutcome } from '@outlive/core';
import type { AuthInterrupt, AuthInterruptPart, InterruptedCall } from './auth-interrupt.ts';

/** What `withTask` or `resumeTask` answered when the run waits. */
export type PausedOutcome = Extract<
  RunOutcome<
    unknown,
    {
      readonly pending: readonly (Pick<InterruptedCall, 'toolCallId' | 'toolName'> & {
        /** Absent for calls of tools that run elsewhere: those are answered with a result. */
        readonly approvalId?: string;
      })[];
    }
  >,
  { status: 'paused' }
>;

/** What an interrupt is written to: a `UIMessageStreamWriter` of the SDK is one. */
export interface InterruptWriter {
  write(
    chunk:
      | AuthInterruptPart
      | { readonly type: 'start' }
      | {
          readonly type: 'tool-approval-request';
          readonly approvalId: string;
          readonly toolCallId: string;
        },
  ): void;
}

/** Tells the browser of a paused run: why it waits, for whom, and which calls run again. */
export function interruptOf({ pause, state, ledger }: PausedOutcome): AuthInterrupt {
  const calls = state.pending.flatMap(({ toolCallId, toolName, approvalId }) => {
    if (approvalId === undefined) return [];
    const entry = ledger.find((call) => call.toolCallId === toolCallId);
    return {
      ...{ toolCallId, toolName, approvalId },
      resource: entry?.resource ?? pause.call?.resource ?? '',
      effect: entry?.effect ?? pause.call?.effect ?? 'irreversible',
      code: entry?.code ?? pause.reason.code,
    };
  });
  const { code, recovery } = pause.reason;
  const confirmed = pause.confirmedBy.map(({ as }) => as);
  return { code, recovery, pauseId: pause.id, calls, requires: pause.requires, confirmed };
}

/** Tells the browser that a task could not be started: `outlive.startTask` rejected with `error`. */
export function interruptBeforeTask({ code, recovery }: AuthError): AuthInterrupt {
  return { code, recovery, calls: [], requires: [], confirmed: [] };
}

/**
 * Writes an interrupt into the stream of an answer.
 *
 * The refused calls are written with it: after a resumption that was not let through nothing was streamed, and the
 * browser still takes its own answer for the last word.
 */
export function writeInterrupt(writer: InterruptWriter, interrupt: AuthInterrupt): void {
  // Where no run was started nothing else begins the message, and server and browser would name it differently.
  if (interrupt.pauseId === undefined) writer.write({ type: 'start' });
  for (const { approvalId, toolCallId } of interrupt.calls)
    writer.write({ type: 'tool-approval-request', approvalId, toolCallId });
  writer.write({
    type: 'data-auth-interrupt',
    id: interrupt.pauseId ?? 'before-task',
    data: interrupt,
  });
}
