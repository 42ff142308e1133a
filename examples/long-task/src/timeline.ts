/** A line of the timeline that `explain` writes: time, process letter, area, sentence. */
const entryLine =
  /^ {2}\s*(?<time>[+-].*? s) {2}(?:(?<process>[A-Z]\S*) +)?(?<area>\w+) {2,}(?<sentence>.*)$/;

interface Fold {
  readonly from: string;
  to: string;
  readonly processes: Set<string>;
  readonly counts: Map<string, number>;
}

/**
 * The timeline of `explain`, shortened for reading: what stands between two turns of the story, and happens hundreds
 * of times, becomes one line that counts it.
 */
export function condensed(text: string): string {
  const lines: string[] = [];
  let fold: Fold | undefined;

  const unfold = (): void => {
    if (fold === undefined) return;
    const counts = [...fold.counts].map(([what, times]) => `${times} × ${what}`).join(', ');
    const who = [...fold.processes].sort().join(' ');
    const span = fold.from === fold.to ? fold.from : `${fold.from} … ${fold.to}`;
    lines.push(`      ${span}${who === '' ? '' : `, ${who}`}: ${counts}`);
    fold = undefined;
  };

  for (const line of text.split('\n')) {
    const { time = '', process, area, sentence = '' } = entryLine.exec(line)?.groups ?? {};
    const what = folded(area, sentence);
    if (what === undefined) {
      unfold();
      lines.push(line);
      continue;
    }
    fold ??= { from: time, to: time, processes: new Set(), counts: new Map() };
    fold.to = time;
    if (process !== undefined) fold.processes.add(process);
    fold.counts.set(what, (fold.counts.get(what) ?? 0) + 1);
  }
  unfold();
  return lines.join('\n');
}

/** What a repeated line is counted as; nothing for lines that are told as they are. */
function folded(area: string | undefined, sentence: string): string | undefined {
  if (area === 'call') return sentence.replace(/ \(.*/, '');
  if (area === 'grant' && sentence.startsWith('claimed ')) return 'claimed the refresh';
  return undefined;
}
