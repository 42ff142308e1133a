/** A line of the timeline that `explain` writes: time, process letter, area, sentence. */
const entryLine =
  /^ +(?<time>[+-].*? s) {2}(?:(?<process>[A-Z]\d*) +)?(?<area>[a-z]+) {2,}(?<sentence>.*)$/;

interface Fold {
  time: string;
  readonly processes: Set<string>;
  readonly calls: Map<string, Map<string, number>>;
}

/**
 * The timeline of `explain`, shortened for reading: the calls between two turns of the story, hundreds of them, are
 * one line that counts them, a line that would follow itself says how often, and a refresh is told when it has succeeded.
 */
export function condensed(text: string): string {
  const lines: string[] = [];
  let fold: Fold | undefined;

  for (const line of text.split('\n')) {
    const { time = '', process = '', area, sentence = '' } = entryLine.exec(line)?.groups ?? {};
    if (isBeginning(area, sentence)) continue;
    const ended = area === 'call' ? /^(?<tool>\w+) (?:is|was) (?<end>\w+)/.exec(sentence) : null;
    const { tool, end } = ended?.groups ?? {};
    if (tool === undefined || end === undefined) {
      if (fold !== undefined) lines.push(folded(fold));
      fold = undefined;
      lines.push(line);
      continue;
    }
    fold ??= { time, processes: new Set(), calls: new Map() };
    fold.time = time;
    fold.processes.add(process);
    const tools = fold.calls.get(end) ?? new Map<string, number>();
    fold.calls.set(end, tools.set(tool, (tools.get(tool) ?? 0) + 1));
  }
  return counted(lines).join('\n');
}

/** Lines that say the same of the same process, one after another, as one. */
function counted(lines: readonly string[]): string[] {
  const runs: { readonly line: string; readonly said: string | undefined; times: number }[] = [];
  for (const line of lines) {
    const said = entryLine.exec(line)?.groups && line.replace(/^ +[+-].*? s {2}/, '');
    const last = runs.at(-1);
    if (said !== undefined && said === last?.said) last.times += 1;
    else runs.push({ line, said, times: 1 });
  }
  return runs.map(({ line, times }) => (times === 1 ? line : `${line}, ${times} times`));
}

/** What has begun is told when it has ended. */
function isBeginning(area: string | undefined, sentence: string): boolean {
  return /^(?:called|claimed) /.test(sentence) && (area === 'call' || area === 'grant');
}

function folded({ time, processes, calls }: Fold): string {
  const ends = [...calls].map(([end, tools]) => {
    const counts = [...tools].sort().map(([tool, times]) => `${times} ${tool}`);
    return `${counts.join(', ')} ${end}`;
  });
  const who = [...processes].sort().join(' and ');
  return `${time.padStart(9)}     calls       ${ends.join('; ')}${who === '' ? '' : ` (by ${who})`}`;
}
