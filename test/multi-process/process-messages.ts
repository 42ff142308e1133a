import type { ErrorReport } from './agent-setup.ts';

/** What a test tells a process of its own. */
export type CommandMessage =
  | { readonly command: 'release' }
  | {
      readonly id: number;
      readonly command: string;
      readonly parameters: readonly unknown[];
    };

/** What a process tells the test. */
export type ProcessMessage =
  | { readonly event: string }
  | { readonly report: unknown }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: ErrorReport };

/** Commands of a process, by name: what a test may ask of it. */
export type CommandsLike<Commands> = {
  [Name in keyof Commands]: (...parameters: never[]) => Promise<unknown>;
};
