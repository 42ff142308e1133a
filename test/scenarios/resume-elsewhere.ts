import { fork } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type {
  AdapterUnderTest,
  NeutralModel,
  NeutralOutcome,
  NeutralRun,
} from './adapter-under-test.ts';
import type { RuntimeSetup } from './scenario-runtime.ts';

/** What another process is told, as JSON. */
export interface ResumeOrder {
  readonly adapter: Pick<AdapterUnderTest, 'name' | 'module'>;
  readonly setup: RuntimeSetup;
  readonly state: unknown;
  readonly model: NeutralModel;
  readonly decline: readonly string[];
}

/** What another process answers, as JSON. */
export interface ResumeReport extends NeutralRun {
  readonly outcome: NeutralOutcome & { readonly error?: string };
  /** The calls its tools ran, as `tool:id`. */
  readonly executed: readonly string[];
  /** Everything that the run left behind in that process, dumped. */
  readonly dumped: string;
}

/** A run that was resumed elsewhere, and what its process printed. */
export interface ElsewhereRun extends ResumeReport {
  readonly printed: string;
}

const script = new URL('./resume-process.ts', import.meta.url);

/**
 * Resumes a paused run in another process, which shares nothing with this one but the store's file.
 *
 * @throws {Error} with what the process printed when it ends without an answer.
 */
export async function resumeElsewhere(order: ResumeOrder): Promise<ElsewhereRun> {
  // A process that hangs is ended, so that what it printed can be told.
  const child = fork(script, { execArgv: [], silent: true, timeout: 20_000 });
  let report: ResumeReport | undefined;
  child.on('message', (message: string) => {
    report = JSON.parse(message);
  });
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('the output of the process is not piped');
  const printing = Promise.all([text(stdout), text(stderr)]);
  const closed = once(child, 'close');
  try {
    const { adapter, setup, state, model, decline } = order;
    // The name and the module alone: what else an adapter is cannot be sent.
    const { name, module } = adapter;
    child.send(
      JSON.parse(JSON.stringify({ adapter: { name, module }, setup, state, model, decline })),
    );
    const printed = (await printing).join('\n');
    await closed;
    if (report === undefined) throw new Error(`the process ended without an answer:\n${printed}`);
    return { ...report, printed };
  } finally {
    child.kill('SIGKILL');
  }
}
