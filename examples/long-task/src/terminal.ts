import { styleText } from 'node:util';
import { job, type Queue, stepsOf } from './job.ts';
import { accessTokenLifetimeMs } from './world.ts';

/** What the live display shows; read anew every time. */
export interface Progress {
  stepsDone(queue?: Queue): number;
  /** The queues, and the process that works through each. */
  readonly queues: readonly { readonly queue: Queue; readonly pid: number }[];
  tokenAgeMs(): number;
  /** Whether the issuer still honours the grant. */
  isAlive(): boolean;
  /** How often the issuer has rotated the pair. */
  generation(): number;
  /** Refresh requests at the issuer. */
  refreshes(): number;
}

/** Where the demo tells its story: lines, and below them a display that is redrawn in place if there is a terminal. */
export interface Terminal {
  /** Everything printed as a line so far. */
  readonly transcript: string;
  /** Text as it is. */
  print(text?: string): void;
  /** Something happened in the story. */
  beat(text: string): void;
  /** Shows the progress until the returned object is disposed. */
  follow(progress: Progress): Disposable;
}

const barWidth = 20;
const reportEverySteps = 4;

/** Writes to stdout: live with a terminal that has colours, else one plain line an event. */
export function createTerminal(): Terminal {
  const { stdout } = process;
  const live = stdout.isTTY === true && stdout.hasColors();
  const startedAt = Date.now();
  const printed: string[] = [];
  let progress: Progress | undefined;
  let drawn = 0;
  let told = '';

  /** Writes lines over the display, and the display anew below them; in one write, so that nothing flickers. */
  function write(above: readonly string[]): void {
    const below = live && progress ? display(progress) : [];
    const back = drawn > 0 ? `\x1b[${drawn}A\x1b[0J` : '';
    stdout.write([back, ...[...above, ...below].map((line) => `${line}\n`)].join(''));
    drawn = below.length;
  }

  function print(text = ''): void {
    printed.push(text);
    write([text]);
  }

  const time = (): string => `${((Date.now() - startedAt) / 1000).toFixed(1).padStart(5)} s`;
  const beat = (text: string): void => print(`${styled('dim', time())}  ${text}`);

  function refresh(): void {
    if (!progress) return;
    if (live) {
      write([]);
      return;
    }
    const done = Math.floor(progress.stepsDone() / reportEverySteps);
    const now = `${done} ${progress.generation()}`;
    if (now === told) return;
    told = now;
    beat(summary(progress));
  }

  return {
    get transcript() {
      return printed.join('\n');
    },
    print,
    beat,
    follow(what) {
      progress = what;
      write([]);
      const timer = setInterval(refresh, 100);
      return {
        [Symbol.dispose]() {
          clearInterval(timer);
          refresh();
          // Its last state stays where it is.
          progress = undefined;
          drawn = 0;
        },
      };
    },
  };
}

function display(progress: Progress): string[] {
  return [
    '',
    ...progress.queues.map(({ queue, pid }) => {
      const steps = stepsOf(queue).length;
      const done = progress.stepsDone(queue);
      const filled = Math.round((done / steps) * barWidth);
      const bar =
        styled('green', '█'.repeat(filled)) + styled('dim', '░'.repeat(barWidth - filled));
      const count = `${done}/${steps}`.padStart(5);
      return `  ${queue.padEnd(8)}  ${bar} ${count}  process ${pid}`;
    }),
    `  ${styled('dim', summary(progress))}`,
  ];
}

function summary(progress: Progress): string {
  const age = (Math.min(progress.tokenAgeMs(), accessTokenLifetimeMs) / 1000).toFixed(1);
  const isOver = progress.tokenAgeMs() >= accessTokenLifetimeMs;
  const living = isOver ? 'token expired' : `token ${age} s old of ${accessTokenLifetimeMs / 1000}`;
  const token = progress.isAlive() ? living : 'grant revoked';
  const refreshes = progress.refreshes();
  return [
    `${progress.stepsDone()} of ${job.length} steps`,
    token,
    `generation ${progress.generation()}`,
    `${refreshes} ${refreshes === 1 ? 'refresh' : 'refreshes'}`,
  ].join(' · ');
}

function styled(format: 'dim' | 'green', text: string): string {
  return styleText(format, text, { stream: process.stdout });
}
