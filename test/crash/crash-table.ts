import { type CrashCell, isWorse } from './crash.ts';
import { crashPoints } from './crash-points.ts';
import { crashProfiles } from './crash-profiles.ts';

const journals: Readonly<Record<CrashCell['journal'], string>> = {
  off: 'no',
  sameHost: 'same host',
  otherHost: 'other host',
};

/** A run of the matrix as Markdown: what was run, and a table. */
export function crashTable(cells: readonly CrashRun[]): string {
  const stores = [...new Set(cells.map(({ store }) => store))];
  const worse = cells.filter(isWorse).length;
  const better = cells.filter(
    ({ outcome, reference }) => outcome === 'ok' && reference === 'signIn',
  ).length;
  const day = new Date().toISOString().slice(0, 10);
  const head = ['issuer profile', 'journal', ...crashPoints.map(({ title }) => title)];
  return [
    `One run on ${day}: ${cells.length} cells on ${stores.join(', ')}; ${worse} worse than the best that a client can do, ${better} better.`,
    '',
    row(head),
    row(head.map(() => '---')),
    ...crashProfiles.flatMap((profile) =>
      (Object.keys(journals) as CrashCell['journal'][]).flatMap((journal) => {
        const found = cells.filter(
          (cell) => cell.profile.name === profile.name && cell.journal === journal,
        );
        if (found.length === 0) return [];
        const points = crashPoints.map(({ name }) =>
          entry(found.filter(({ point }) => point.name === name)),
        );
        return [row([profile.title, journals[journal], ...points])];
      }),
    ),
  ].join('\n');
}

/** A cell, and the store it was run on. */
export interface CrashRun extends CrashCell {
  readonly store: string;
}

/** All stores and both ends agree, or it is said who does not. */
function entry(cells: readonly CrashRun[]): string {
  const words = cells.map(wordOf);
  const [first = 'not run'] = words;
  if (words.every((word) => word === first)) return first;
  return [...new Set(words)]
    .map((word) => {
      const those = cells.filter((cell) => wordOf(cell) === word);
      const ends = new Set(those.map(({ end }) => end));
      const stores = new Set(those.map(({ store }) => store));
      return `${word} (${[...ends].join(', ')}: ${[...stores].join(', ')})`;
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
