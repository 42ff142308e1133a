import {
  type AgentRun,
  AuthError,
  ConfigurationError,
  hasEnded,
  type Refusal,
  type Task,
} from '@outlive/core';
import type { ModelMessage } from 'ai';
import { type ApprovalRequest, requestFor } from './approval-request.ts';
import { signApprovalRequest } from './approval-signature.ts';
import type { ExecuteOptions } from './execute.ts';
import type { LoopSettings, PrepareStepOptions, Step } from './loop-settings.ts';
import type { SubAgents } from './sub-agents.ts';

/** A call, as an approval request speaks of it. */
export interface RequestedCall {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly input: unknown;
}

/** What the adapter knows about one guarded loop, beside what the run knows. */
export class RunGuard {
  readonly task: Task;
  readonly run: AgentRun;
  /** The agents that this loop calls as tools. */
  readonly agents: SubAgents;
  /** The conversation before the first step; what follows is in the steps. */
  opening: readonly ModelMessage[] = [];
  /** The SDK's own list: it grows as the loop goes on, so it is complete also when the loop fails. */
  steps: readonly Step[] = [];
  #installed = false;
  #replaying = true;
  #turnGranted = false;
  #secret: string | Uint8Array | undefined;
  #stopped: AuthError | undefined;
  readonly #requests = new Map<string, ApprovalRequest>();
  /** What the model wrote, as JSON text: read only for a call that waits. */
  readonly #inputs = new Map<string, string>();

  constructor(task: Task, run: AgentRun, agents: SubAgents) {
    this.task = task;
    this.run = run;
    this.agents = agents;
  }

  /** Whether the model must not get another turn. */
  get halted(): boolean {
    return this.#stopped !== undefined || this.agents.waiting || this.run.halted;
  }

  /** Whether the loop may go on, as the store knows it now: what this process knows may be old. */
  async mayContinue(): Promise<boolean> {
    if (this.#stopped !== undefined || this.agents.waiting) return false;
    return await this.run.mayContinue();
  }

  /** Grants the model its next turn, if it may have one. */
  async grantTurn(): Promise<boolean> {
    this.#turnGranted = await this.mayContinue();
    return this.#turnGranted;
  }

  /**
   * Asked by the model itself: each turn that was granted is one call of it.
   *
   * @throws {AuthError} when it must not be called.
   */
  async ensureTurn(): Promise<void> {
    const granted = this.#turnGranted ? !this.halted : await this.grantTurn();
    this.#turnGranted = false;
    if (!granted) throw this.#stopped ?? this.refusals[0]?.error ?? stoppedTask(this.task);
  }

  /** Every call that was refused, agents among them. */
  get refusals(): readonly Refusal[] {
    return [...this.run.refusals, ...this.agents.refusals];
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
    this.#secret = settings.experimental_toolApprovalSecret;
  }

  beginStep({ messages, steps }: PrepareStepOptions): void {
    if (this.#replaying) this.opening = [...messages];
    this.#replaying = false;
    this.steps = steps;
  }

  /** Whether the model has not had a turn yet: calls that run now are there because the conversation says so. */
  get replaying(): boolean {
    return this.#replaying;
  }

  /**
   * Why a call of this run may run, if it needs a reason: one that runs before the model's first turn was approved, as
   * the conversation says, and conversations come from browsers.
   */
  approvalOf(toolCallId: string): 'asked' | 'signed' | undefined {
    if (!this.#replaying || this.run.resumableCalls.has(toolCallId)) return undefined;
    // With a secret the SDK has verified who asked for the approval.
    return this.#secret === undefined ? 'asked' : 'signed';
  }

  /** Takes down which approval request a call that runs again had. */
  noteReplay({ toolCallId, messages = [] }: ExecuteOptions): void {
    const request = this.#replaying ? requestFor(toolCallId, messages) : undefined;
    if (request !== undefined) this.noteRequest(toolCallId, request);
  }

  noteRequest(toolCallId: string, request: ApprovalRequest): void {
    this.#requests.set(toolCallId, request);
  }

  /** What the model wrote as the input of a call, as JSON text, before a schema made something else of it. */
  noteInput(toolCallId: string, text: unknown): void {
    if (typeof text === 'string') this.#inputs.set(toolCallId, text);
  }

  /** A call has one approval request, also when it is refused again: the one it had first. */
  async requestOf(call: RequestedCall): Promise<ApprovalRequest> {
    const { toolCallId, input } = call;
    const known = this.#requests.get(toolCallId);
    if (known !== undefined) return known;
    const approvalId = `auth_${toolCallId}`;
    const signature =
      this.#secret && (await signApprovalRequest(this.#secret, { approvalId, ...call }));
    const text = this.#inputs.get(toolCallId);
    const written = text === undefined ? undefined : parsedJson(text);
    const request = {
      approvalId,
      ...(signature !== undefined && { signature }),
      // The SDK validates an input again before it runs the call, and a schema need not accept what it answered.
      ...(written !== undefined &&
        JSON.stringify(written) !== JSON.stringify(input) && { inputSchemaInput: written }),
    };
    this.noteRequest(toolCallId, request);
    return request;
  }
}

function stoppedTask({ status, currentPause }: Task): AuthError {
  return hasEnded(status)
    ? new AuthError('task_ended', { reason: status })
    : new AuthError('task_paused', { ref: currentPause?.id });
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The SDK finds out, too, and does not run the call.
    return undefined;
  }
}
