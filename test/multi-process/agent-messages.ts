import type { AgentCommands } from './agent-commands.ts';
import type { AgentEvent, ErrorReport } from './agent-setup.ts';

/** What a test tells a process. */
export type CommandMessage =
  | { readonly command: 'release' }
  | {
      readonly id: number;
      readonly command: keyof AgentCommands;
      readonly parameters: readonly unknown[];
    };

/** What a process tells the test. */
export type ProcessMessage =
  | { readonly event: AgentEvent | 'ready' }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: ErrorReport };
