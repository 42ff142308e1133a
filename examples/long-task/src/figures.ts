import { styleText } from 'node:util';
import { job } from './job.ts';

/** What a run shows. Counted by the issuer, the API, the model or a search of the files; the runtime counts nothing. */
export interface Figures {
  readonly steps: number;
  readonly stepsDone: number;
  readonly processes: number;
  readonly generations: number;
  readonly refreshRequests: number;
  readonly reuseDetected: number;
  readonly grantsKilled: number;
  readonly modelCallsWhilePaused: number;
  readonly duplicateSideEffects: number;
  readonly outcome: Outcome;
  readonly tokensFoundInArtifacts: number;
  readonly ms: number;
}

/** How the job ended, as seen from outside. */
export type Outcome =
  /** The work is done, after exactly one pause, and the authority for it has ended. */
  | 'completed'
  /** The model reports success, and the work is not done. */
  | 'false success'
  | 'incomplete';

type Check = readonly [promise: string, holds: (value: number | string, all: Figures) => boolean];

const nothing: Check = ['0', (value) => value === 0];
const several: Check = ['2 or more', (value) => Number(value) >= 2];

/** What the README promises of the run with Outlive. */
export const promises: Partial<Record<keyof Figures, Check>> = {
  steps: ['40', (value) => value === 40],
  stepsDone: ['40', (value) => value === job.length],
  processes: several,
  generations: ['several', (value) => Number(value) > 2],
  refreshRequests: ['= generations', (value, { generations }) => value === generations],
  reuseDetected: nothing,
  grantsKilled: nothing,
  modelCallsWhilePaused: nothing,
  duplicateSideEffects: nothing,
  outcome: ['completed', (value) => value === 'completed'],
  tokensFoundInArtifacts: nothing,
};

/** What the README promises of the same job without it. */
export const naivePromises: Partial<Record<keyof Figures, Check>> = {
  stepsDone: ['not 40', (value) => Number(value) < job.length],
  processes: several,
  reuseDetected: ['1 or more', (value) => Number(value) >= 1],
  grantsKilled: ['1 or more', (value) => Number(value) >= 1],
  outcome: ['false success', (value) => value === 'false success'],
};

const countedBy: Record<keyof Figures, string> = {
  steps: 'the job',
  stepsDone: 'the API: every call of the step was answered',
  processes: 'the model: processes it was called from',
  generations: 'the issuer: token pairs it rotated',
  refreshRequests: 'the issuer: refreshes it was asked for',
  reuseDetected: 'the issuer: used tokens presented again',
  grantsKilled: 'the issuer: grants it revoked',
  modelCallsWhilePaused: 'the model: from the pause to the confirmation',
  duplicateSideEffects: 'the API: the same write to the same ticket',
  outcome: 'the API, the model and the issuer',
  tokensFoundInArtifacts: 'a search of every file the run left',
  ms: 'the clock',
};

/** The names of the figures that are not what was promised. */
export function broken(figures: Figures, promised: typeof promises): readonly string[] {
  return Object.entries(promised).flatMap(([name, [, holds]]) =>
    holds(figures[name as keyof Figures], figures) ? [] : [name],
  );
}

/** The figures as a table: each with what was promised and who counted it. */
export function figuresTable(figures: Figures, promised: typeof promises): string {
  const wrong = broken(figures, promised);
  const rows = Object.entries(figures).map(([name, value]) => {
    const [promise] = promised[name as keyof Figures] ?? ['–'];
    return [name, String(value), promise, countedBy[name as keyof Figures]];
  });
  const table = [['figure', 'value', 'promised', 'counted by'], ...rows];
  const widths = [0, 1, 2].map((column) =>
    Math.max(...table.map((cells) => cells[column]?.length ?? 0)),
  );
  return table
    .map((cells, row) => {
      const line = cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   ');
      if (row === 0) return styled('dim', `    ${line}`);
      if (wrong.includes(cells[0] ?? '')) return styled('red', `  ✗ ${line}`);
      return `  ${promised[cells[0] as keyof Figures] ? styled('green', '✓') : ' '} ${line}`;
    })
    .join('\n');
}

function styled(format: 'dim' | 'red' | 'green', text: string): string {
  return styleText(format, text, { stream: process.stdout });
}
