import { readFileSync, writeFileSync } from 'node:fs';
import { benchmarksPage, hasMarks, replaceBetweenMarks } from '../publish.ts';
import { raceChart } from './chart.ts';
import type { Plan } from './plan.ts';
import type { RaceReport } from './result.ts';
import { raceSummary, raceTables } from './table.ts';

const chart = new URL('../../docs/race.svg', import.meta.url);
const readme = new URL('../../README.md', import.meta.url);

/** Prints the report, and writes the page, the chart and the README's table when asked to. */
export function publishRace(report: RaceReport, { json, writeDocs }: Plan): void {
  if (writeDocs) {
    writeFileSync(chart, raceChart(report));
    const day = `One run on ${report.day}: ${raceTables(report)}`;
    replaceBetweenMarks(benchmarksPage, 'race', day);
    // The README decides for itself whether it shows the race.
    if (hasMarks(readFileSync(readme, 'utf8'), 'race'))
      replaceBetweenMarks(readme, 'race', raceSummary(report));
  }
  console.log(json ? JSON.stringify(report) : raceTables(report));
}
