import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { markdown, type Report } from './report.ts';

/** The page that shows the figures of every benchmark. */
export const benchmarksPage: URL = new URL('../docs/benchmarks.md', import.meta.url);

/** How the results of a run are to be put out. */
export interface Output {
  /** One JSON object, as the last line. */
  readonly json: boolean;
  /** Replace this benchmark's figures in docs/benchmarks.md. */
  readonly writeDocs: boolean;
}

/** The options of the command line. @throws {TypeError} when there is one it does not know. */
export function outputOptions(): Output {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      'write-docs': { type: 'boolean', default: false },
    },
  });
  return { json: values.json, writeDocs: values['write-docs'] };
}

/** Prints the report, and writes it into the documentation when asked to. */
export function publish(report: Report, { json, writeDocs }: Output): void {
  if (writeDocs) {
    const day = new Date().toISOString().slice(0, 10);
    const figures = `One run on ${day}: ${markdown(report)}`;
    replaceBetweenMarks(benchmarksPage, report.benchmark, figures);
  }
  console.log(json ? JSON.stringify(report) : markdown(report));
}

/**
 * Figures in the documentation come from a run, between two marks, and are never typed.
 *
 * @throws {Error} when the page does not have both marks, once.
 */
export function replaceBetweenMarks(page: URL, benchmark: string, figures: string): void {
  const { begin, end } = marks(benchmark);
  const text = readFileSync(page, 'utf8');
  const [before, rest, ...more] = text.split(begin);
  const [, after, ...further] = rest?.split(end) ?? [];
  if (before === undefined || after === undefined || more.length + further.length > 0)
    throw new Error(`${basename(page.pathname)}: expected ${begin} and then ${end}, each once`);
  writeFileSync(page, `${before}${begin}\n\n${figures}\n\n${end}${after}`);
}

/** Whether a page shows the figures of a benchmark. */
export function hasMarks(text: string, benchmark: string): boolean {
  return text.includes(marks(benchmark).begin);
}

function marks(benchmark: string): { begin: string; end: string } {
  return { begin: `<!-- ${benchmark}: begin -->`, end: `<!-- ${benchmark}: end -->` };
}
