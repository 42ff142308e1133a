import type { RuntimeSettings } from './runtime.ts';

/** What a process is started with. */
export interface Assignment {
  readonly runtime: RuntimeSettings;
  /** For an agent: whose refunds it pays, and in which task. */
  readonly agent?: { readonly name: string; readonly taskId: string };
  /** For the desk: who sends events about people. */
  readonly transmitter?: {
    readonly url: string;
    readonly audience: string;
    readonly managementToken: string;
  };
}

/** What a process says. */
export type Report =
  /** The desk has set up its stream of events. */
  | { readonly type: 'listening'; readonly streamId: string }
  /** An agent's model was called. */
  | { readonly type: 'model-called'; readonly at: number }
  /** An agent has paid what it may before lunch, and waits for the next word. */
  | { readonly type: 'waiting' }
  /** An agent's loop has ended. */
  | { readonly type: 'ended'; readonly status: string };
