import { type AgentRun, AuthError } from '@outlive/core';
import type { ModelMessage } from 'ai';
import type { ExecuteOptions } from './execute.ts';
import type { LoopSettings, PrepareStepOptions, Step } from './loop-settings.ts';

/** What the adapter knows about one guarded loop, beside what the run knows. */
export class RunGuard {
  readonly run: AgentRun;
  /** The conversation before the first step; what follows is in the steps. */
  opening: readonly ModelMessage[] = [];
  /** The SDK's own list: it grows as the loop goes on, so it is complete also when the loop fails. */
  steps: readonly Step[] = [];
  /** Set once the loop reads the guarded settings. */
  installed = false;
  #replaying = true;
  #trustsApprovals = false;
  #forged: AuthError | undefined;
  readonly #approvalIds = new Map<string, string>();

  constructor(run: AgentRun) {
    this.run = run;
  }

  /** Whether the model must not get another turn. */
  get halted(): boolean {
    return this.#forged !== undefined || this.run.halted;
  }

  /** The refusal of a call that the conversation claims to be approved, but that no pause waits for. */
  get forged(): AuthError | undefined {
    return this.#forged;
  }

  install(settings: LoopSettings): void {
    const { prompt, messages = [] } = settings;
    this.installed = true;
    this.opening =
      typeof prompt === 'string' ? [{ role: 'user', content: prompt }] : (prompt ?? messages);
    // With a secret the SDK verifies who issued an approval before it executes the call.
    this.#trustsApprovals = settings.experimental_toolApprovalSecret !== undefined;
  }

  beginStep({ messages, steps }: PrepareStepOptions): void {
    if (this.#replaying) this.opening = [...messages];
    this.#replaying = false;
    this.steps = steps;
  }

  /**
   * A call that is executed before the first step was not made by the model in this run: the conversation says so,
   * and conversations come from browsers. Only calls that the store knows as refused may run again.
   */
  admitReplay({ toolCallId, messages = [] }: ExecuteOptions): AuthError | undefined {
    if (!this.#replaying) return undefined;
    if (this.run.resumableCalls.has(toolCallId)) {
      const approvalId = approvalOf(toolCallId, messages as readonly ModelMessage[]);
      if (approvalId !== undefined) this.#approvalIds.set(toolCallId, approvalId);
      return undefined;
    }
    if (this.#trustsApprovals) return undefined;
    this.#forged ??= new AuthError('not_resumable', {
      detail: `call ${toolCallId} is approved in the conversation, but no pause of this task waits for it`,
    });
    return this.#forged;
  }

  isRefused(toolCallId: string): boolean {
    return this.run.refusals.some((refusal) => refusal.toolCallId === toolCallId);
  }

  rememberApproval(toolCallId: string, approvalId: string): void {
    this.#approvalIds.set(toolCallId, approvalId);
  }

  /** A call has one approval request, also when it is refused again: the id it had first. */
  approvalIdOf(toolCallId: string): string {
    return this.#approvalIds.get(toolCallId) ?? `auth_${toolCallId}`;
  }
}

/** The id of the newest approval request for a call. */
export function approvalOf(
  toolCallId: string,
  messages: readonly ModelMessage[],
): string | undefined {
  return messages
    .flatMap(({ role, content }) =>
      role === 'assistant' && typeof content !== 'string' ? content : [],
    )
    .filter((part) => part.type === 'tool-approval-request')
    .findLast((part) => part.toolCallId === toolCallId)?.approvalId;
}
