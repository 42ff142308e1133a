import type {
  LedgerEntry,
  Outlive,
  Pause,
  PrincipalHandle,
  Requirement,
  RunOutcome,
  Task,
} from '@outlive/core';
import type { Misbehaviour } from '@outlive/testing';

/** What every tool of the scenarios is called with. */
export interface ToolInput {
  readonly about: string;
}

/** A tool that acts for the principal of its task. */
export interface CredentialedTool {
  readonly name: string;
  readonly requirement: Requirement;
  readonly run: (
    principal: PrincipalHandle,
    input: ToolInput,
    toolCallId: string,
  ) => Promise<string>;
}

/** A tool that needs no credential. */
export interface PlainTool {
  readonly name: string;
  readonly requirement?: never;
  readonly run: (input: ToolInput, toolCallId: string) => Promise<string>;
}

/** A tool without a framework; the adapter under test defines it as its users would. */
export type NeutralTool = CredentialedTool | PlainTool;

/** A call that the model makes. */
export interface ScriptedCall {
  readonly tool: string;
  readonly id: string;
  /** Default: the id. */
  readonly about?: string;
}

/** What the model says or, in parallel, calls. */
export type ScriptedTurn = string | readonly ScriptedCall[];

/**
 * The model, as data: other processes make the same one from it.
 *
 * With `turns` it follows the script and fails when it is called more often. With `plan` it also misbehaves, as the
 * misbehaving model of `@outlive/testing` does, as soon as it sees that a call has failed.
 */
export type NeutralModel =
  | { readonly turns: readonly ScriptedTurn[] }
  | {
      readonly plan: readonly (readonly ScriptedCall[])[];
      readonly whenToolFails: Misbehaviour;
      readonly alternativeTool: string;
    };

/** A tool result as the model sees it. */
export interface SeenResult {
  readonly toolCallId: string;
  readonly text: string;
  /** Also true for a call that was declined. */
  readonly isError: boolean;
}

/** What the model was called with. */
export interface SeenPrompt {
  /** All of it, as JSON. */
  readonly text: string;
  readonly results: readonly SeenResult[];
}

/** How a run ended, whatever the framework: the outcome of the core, as far as scenarios look at it. */
export interface NeutralOutcome {
  readonly status: RunOutcome<unknown>['status'];
  /** What the model said in the end; for `completed` only. */
  readonly answer?: string;
  /** For `paused` only. */
  readonly pause?: Pause;
  /** What the app keeps to resume the run, as JSON; for `paused` only. */
  readonly state?: unknown;
  /** For `failed` only. */
  readonly error?: unknown;
  readonly ledger: readonly LedgerEntry[];
}

/** One run, and everything it left behind in this process. */
export interface NeutralRun {
  readonly outcome: NeutralOutcome;
  /** One for each time the model was called. */
  readonly prompts: readonly SeenPrompt[];
  /** What else the framework showed to the app or to its users: results, steps, parts of streams. */
  readonly traces: readonly unknown[];
}

/** What a run is made of. */
export interface RunParts {
  readonly tools: readonly NeutralTool[];
  readonly model: NeutralModel;
}

/** One way of running an agent with one adapter. */
export interface AdapterUnderTest {
  readonly name: string;
  /** URL of the module that makes this adapter, for other processes. It is an {@link AdapterModule}. */
  readonly module: string;
  /** Runs the agent under a task until its loop ends, within ten turns. */
  start(task: Task, parts: RunParts & { readonly prompt: string }): Promise<NeutralRun>;
  /** Goes on with a paused run, given its state as it came back from storage. */
  resume(
    outlive: Outlive,
    state: unknown,
    parts: RunParts & { readonly decline?: readonly string[] },
  ): Promise<NeutralRun>;
  /** Calls a defined tool without any task. */
  callOutsideTask(tool: CredentialedTool, input: ToolInput): Promise<unknown>;
  /** The state of a paused run in which somebody has edited the input of a pending call. */
  alter(state: unknown, toolCallId: string, input: ToolInput): unknown;
}

/** What the module of an adapter under test exports. */
export interface AdapterModule {
  createAdapter(name: string): AdapterUnderTest;
}
