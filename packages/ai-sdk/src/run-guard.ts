import { type AgentRun, AuthError, ConfigurationError } from '@outlive/core';
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
  #installed = false;
  #replaying = true;
  #trustsApprovals = false;
  #stopped: AuthError | undefined;
  readonly #approvalIds = new Map<string, string>();

  constructor(run: AgentRun) {
    this.run = run;
  }

  /** Whether the model must not get another turn. */
  get halted(): boolean {
    return this.#stopped !== undefined || this.run.halted;
  }

  /** Whether the model may get another turn, as the store knows it now. */
  async mayContinue(): Promise<boolean> {
    return !this.halted && (await this.run.mayContinue());
  }

  /** Why the adapter itself stopped the loop, although the run knows of no refusal. */
  get stopped(): AuthError | undefined {
    return this.#stopped;
  }

  stop(error: AuthError): AuthError {
    this.#stopped ??= error;
    return error;
  }

  /** @throws {ConfigurationError} when the loop ran past the guard: its credentialed tools had no principal. */
  assertInstalled(): void {
    if (this.#installed) return;
    throw new ConfigurationError(
      'withTask: agent: expected it to run with its own settings, as ToolLoopAgent does; it ran without them',
      ['agent'],
    );
  }

  install(settings: LoopSettings): void {
    const { prompt, messages = [] } = settings;
    this.#installed = true;
    this.opening =
      typeof prompt === 'string' ? [{ role: 'user', content: prompt }] : (prompt ?? messages);
    // With a secret the SDK verifies who issued an approval before it executes the call.
    this.#trustsApprovals =
      settings.experimental_toolApprovalSecret !== undefined && this.run.resumableCalls.size === 0;
  }

  beginStep({ messages, steps }: PrepareStepOptions): void {
    if (this.#replaying) this.opening = [...messages];
    this.#replaying = false;
    this.steps = steps;
  }

  /** Whether this is a refused call that runs again, before the model gets its first turn. */
  replays(toolCallId: string): boolean {
    return this.#replaying && this.run.resumableCalls.has(toolCallId);
  }

  /**
   * A call that is executed before the first step was not made by the model in this run: the conversation says so,
   * and conversations come from browsers. Only calls that the store knows as refused may run again.
   */
  admitReplay({ toolCallId, messages = [] }: ExecuteOptions): AuthError | undefined {
    if (!this.#replaying) return undefined;
    const approvalId = approvalOf(toolCallId, messages);
    if (approvalId !== undefined) this.rememberApproval(toolCallId, approvalId);
    if (this.replays(toolCallId) || this.#trustsApprovals) return undefined;
    const detail = `call ${toolCallId} is approved in the conversation, but no pause waits for it`;
    return this.stop(new AuthError('not_resumable', { detail }));
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
