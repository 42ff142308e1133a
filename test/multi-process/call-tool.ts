import { type AgentRun, AuthError, type CallInvocation } from '@outlive/core';
import type { ErrorReport } from './agent-setup.ts';
import { errorReport } from './error-report.ts';

/** What became of one tool call. */
export type CallAnswer =
  | { readonly status: 'answered'; readonly runId: string; readonly httpStatus: number }
  | {
      readonly status: 'refused';
      readonly runId: string;
      readonly runStatus: string;
      readonly error: ErrorReport;
      /** The pause that the run ended with. */
      readonly pauseId: string | undefined;
    }
  /** The run waits for a person before this call may be made. */
  | {
      readonly status: 'notRun';
      readonly runId: string;
      readonly runStatus: string;
      readonly because: string | undefined;
    };

/** Makes one tool call as an adapter would: admission, the tool itself, its place in the ledger, the run's end. */
export async function callTool(
  run: AgentRun,
  invocation: Omit<CallInvocation, 'input'>,
): Promise<CallAnswer> {
  const call = run.call({ ...invocation, input: { amount: 10 } });
  try {
    const refusal = await call.admission;
    if (refusal !== undefined) throw refusal;
    const { principal } = call;
    // Tells the API which call it is.
    const headers = { 'idempotency-key': principal.idempotencyKey };
    const response =
      invocation.requirement.effect === 'read'
        ? await principal.fetch('items', { headers })
        : await principal.fetch('payments', { method: 'POST', headers, body: '{"amount":10}' });
    await response.text();
    const refused = await call.settle({ ok: response.ok });
    if (refused !== undefined) throw refused;
    return { status: 'answered', runId: run.id, httpStatus: response.status };
  } catch (error) {
    await call.settle({ ok: false, error });
    if (!AuthError.is(error)) throw error;
    const end = await run.finish();
    return {
      status: 'refused',
      runId: run.id,
      runStatus: end.status,
      error: errorReport(error),
      pauseId: end.status === 'paused' ? end.pause.id : undefined,
    };
  }
}

/** What became of a call that its run says may not be made. */
export async function notRun(run: AgentRun): Promise<CallAnswer> {
  const end = await run.finish();
  const because = end.status === 'paused' ? end.pause.reason.code : undefined;
  return { status: 'notRun', runId: run.id, runStatus: end.status, because };
}
