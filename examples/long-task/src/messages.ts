import type { Queue } from './job.ts';

/** What every process needs to open the same runtime. It travels over IPC only: there are keys in it. */
export interface RuntimeSettings {
  readonly storePath: string;
  /** Where this process exports its audit entries. */
  readonly auditPath: string;
  readonly keys: {
    readonly current: string;
    readonly ring: Readonly<Record<string, Uint8Array>>;
    readonly hash: Uint8Array;
  };
  readonly issuerUrl: string;
  readonly clientSecret: string;
  readonly apiUrl: string;
}

/** What a worker with Outlive is told to do. */
export interface Assignment {
  readonly queue: Queue;
  readonly runtime: RuntimeSettings;
  readonly taskId: string;
  /** The paused run is written here, and read from here when `resume` is set. */
  readonly pausedRunPath: string;
  readonly resume: boolean;
  /** Everything the model was told is written here. */
  readonly promptsPath: string;
}

/** What a worker without Outlive is told to do. */
export interface NaiveAssignment {
  readonly queue: Queue;
  readonly tokenPath: string;
  readonly issuerUrl: string;
  readonly clientSecret: string;
  readonly apiUrl: string;
  readonly promptsPath: string;
}

/** What a worker reports. */
export type WorkerMessage =
  /** The model was called, at this epoch ms. */
  | { readonly type: 'model-called'; readonly at: number }
  /** The agent loop has ended; `said` is the model's last word. */
  | { readonly type: 'ended'; readonly status: string; readonly said?: string };
