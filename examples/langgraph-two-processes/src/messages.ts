import type { PausedRun } from '@outlive/langchain';
import type { RuntimeSettings } from './runtime.ts';

/** What a process is started with. */
export interface Assignment {
  readonly runtime: RuntimeSettings;
  readonly checkpointsPath: string;
  /** The task for which the agent begins. */
  readonly begin?: string;
  /** The paused run with which it goes on, as JSON. */
  readonly goOn?: string;
}

/** What a process says before it ends. */
export interface Report {
  readonly pid: number;
  readonly status: string;
  /** How often the model was called. */
  readonly modelCalls: number;
  /** The model's last words, of a run that is completed. */
  readonly said?: string;
  /** What another process needs to go on. */
  readonly pausedRun?: PausedRun;
  /** The code of the error with which a run has failed. */
  readonly code?: string;
}
