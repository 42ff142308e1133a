import { type CrashCell, isWorse } from './crash.ts';
import { crashPoints } from './crash-points.ts';
import { crashProfiles } from './crash-profiles.ts';

const journals: Readonly<Record<CrashCell['journal'], string>> = {
  off: 'none',
  sameHost: 'on the host that recovers',
  otherHost: 'on another host',
};
const journalNames = Object.keys(journals) as CrashCell['journal'][];

const ends: Readonly<Record<CrashCell['end'], string>> = {
  kill: 'The process was killed (`SIGKILL`), and another one came:',
  stop: 'The process was stopped (`SIGSTOP`), another one recovered its grants, and it went on (`SIGCONT`):',
};

/** A run of the matrix as Markdown: what was run, and a table for each end. */
export function crashTable(cells: readonly CrashRun[]): string {
  const stores = [...new Set(cells.map(({ store }) => store))];
  const worse = cells.filter(isWorse).length;
  const better = cells.filter(
    ({ outcome, reference }) => outcome === 'ok' && reference === 'signIn',
  ).length;
  const day = new Date().toISOString().slice(0, 10);
  const summary =
    `One run on ${day}: ${cells.length} cells on ${stores.join(', ')}; ` +
    `${worse} worse than the best that a client can do, ${better} better.`;
  return [
    summary,
    ...(Object.keys(ends) as CrashCell['end'][]).flatMap((end) => {
      const those = cells.filter((cell) => cell.end === end);
      return those.length === 0 ? [] : ['', ends[end], '', ...tableOf(those)];
    }),
  ].join('\n');
}

function tableOf(cells: readonly CrashRun[]): string[] {
  const head = ['issuer profile', 'journal', ...crashPoints.map(({ title }) => title)];
  const rows = crashProfiles.flatMap((profile) => {
    // Journals that make no difference share a row.
    const byOutcome = new Map<string, CrashCell['journal'][]>();
    for (const journal of journalNames) {
      const found = cells.filter(
        (cell) => cell.profile.name === profile.name && cell.journal === journal,
      );
      if (found.length === 0) continue;
      const outcome = row(
        crashPoints.map(({ name }) => entry(found.filter(({ point }) => point.name === name))),
      );
      byOutcome.set(outcome, [...(byOutcome.get(outcome) ?? []), journal]);
    }
    return [...byOutcome].map(([outcome, those]) => {
      const any = those.length === journalNames.length;
      const where = any ? 'any' : those.map((journal) => journals[journal]).join('; ');
      return `| ${profile.title} | ${where} ${outcome}`;
    });
  });
  return [row(head), row(head.map(() => '---')), ...rows];
}

/** A cell, and the store it was run on. */
export interface CrashRun extends CrashCell {
  readonly store: string;
}

/** All stores agree, or it is said which does not. */
function entry(cells: readonly CrashRun[]): string {
  const words = [...new Set(cells.map(wordOf))];
  if (words.length <= 1) return words[0] ?? 'not run';
  return words
    .map((word) => {
      const those = cells.filter((cell) => wordOf(cell) === word).map(({ store }) => store);
      return `${word} (${those.join(', ')})`;
    })
    .join('; ');
}

function wordOf(cell: CrashRun): string {
  const word = cell.outcome === 'ok' ? 'ok' : 'sign-in';
  return isWorse(cell) ? `**${word}**` : word;
}

function row(columns: readonly string[]): string {
  return `| ${columns.join(' | ')} |`;
}
