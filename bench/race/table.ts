import { describeRun, table } from '../report.ts';
import type { RaceReport, ReportedContestant, Result } from './result.ts';

/** The whole report as Markdown: in-process figures first, then several processes, then who claims what. */
export function raceTables(report: RaceReport): string {
  const processCounts = [...new Set(report.results.map(({ processes }) => processes))];
  processCounts.sort((one, other) => one - other);
  return [
    describeRun(report.machine),
    `Access tokens live ${report.lifetimeMs / 1000} s. Each session's token expires ${report.cycles} times while all its callers need it; right is that each refresh token reaches the issuer once. Waits are of the calls that were answered, measured in this one run on this one machine: compare them with each other, not with other runs.`,
    ...processCounts.flatMap((processes) => processesText(report, processes)),
    '### What each of them claims',
    'Peers are not blamed for what they do not claim. Each is set up as its own documentation advises.',
    claimsTable(report.contestants),
  ].join('\n\n');
}

/** The short table: every contestant's worst, with one process and with several. */
export function raceSummary(report: RaceReport): string {
  const header = [
    '',
    'sessions ended by the issuer, one process',
    'several processes',
    'refreshes per generation, several processes (1 is right)',
    'calls that failed',
  ];
  const rows = report.contestants.map(({ id, title }) => {
    const of = (several: boolean): Result[] =>
      report.results.filter(
        ({ contestant, processes }) => contestant === id && processes > 1 === several,
      );
    return [
      title,
      killedText(of(false)),
      killedText(of(true)),
      refreshText(of(true)),
      failedText(of(true)),
    ];
  });
  return table(header, rows);
}

function processesText({ results, contestants }: RaceReport, processes: number): string[] {
  const here = results.filter((result) => result.processes === processes);
  const settings = new Map(here.map((result) => [`${result.latencyMs}/${result.calls}`, result]));
  const title = processes === 1 ? 'In one process' : `In ${processes} processes`;
  return [...settings.values()].flatMap(({ latencyMs, calls }) => {
    const rows = here.filter((one) => one.latencyMs === latencyMs && one.calls === calls);
    const each = processes === 1 ? '' : ' in each process';
    return [
      `### ${title}: ${calls} calls at once${each}, issuer ${latencyMs} ms`,
      resultTable(rows, contestants),
    ];
  });
}

function resultTable(
  results: readonly Result[],
  contestants: readonly ReportedContestant[],
): string {
  const header = [
    'contestant',
    'refreshes per generation',
    'sessions killed',
    'failed calls',
    'login prompts',
    'median wait',
    'p99 wait',
  ];
  return table(
    header,
    results.map((result) => [
      contestants.find(({ id }) => id === result.contestant)?.title ?? result.contestant,
      number(result.refreshesPerGeneration),
      `${result.killed} of ${result.sessions}`,
      `${result.callsFailed} of ${result.callsMade}`,
      `${result.loginPrompts}`,
      milliseconds(result.waitMs?.median),
      milliseconds(result.waitMs?.p99),
    ]),
  );
}

function claimsTable(contestants: readonly ReportedContestant[]): string {
  return table(
    ['contestant', 'package', 'what it claims', 'how it runs here'],
    contestants.map(({ title, version, claims, setup }) => [title, version, claims, setup]),
  );
}

function killedText(results: readonly Result[]): string {
  if (results.length === 0) return 'does not claim it';
  return `${total(results, 'killed')} of ${total(results, 'sessions')}`;
}

function failedText(results: readonly Result[]): string {
  if (results.length === 0) return '';
  return `${total(results, 'callsFailed')} of ${total(results, 'callsMade')}`;
}

/** From the least to the most of the settings. */
function refreshText(results: readonly Result[]): string {
  if (results.length === 0) return '';
  const all = results.map(({ refreshesPerGeneration }) => refreshesPerGeneration);
  const [least, most] = [number(Math.min(...all)), number(Math.max(...all))];
  return least === most ? least : `${least} to ${most}`;
}

function total(
  results: readonly Result[],
  field: 'killed' | 'sessions' | 'callsFailed' | 'callsMade',
): number {
  return results.reduce((sum, result) => sum + result[field], 0);
}

function number(value: number): string {
  return `${Math.round(value * 10) / 10}`;
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? 'none answered' : `${Math.round(value)} ms`;
}
