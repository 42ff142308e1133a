import { cpus, loadavg } from 'node:os';
import type { Ratio } from './measure.ts';

/** One line of a report: a figure, what it compares with, and the bar it has to meet, if there is one. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: 'ns' | 'µs' | 'ms' | 'B' | '';
  /** Another figure of the same run, and how many times as much one is of the other. */
  readonly compared?: Ratio & { readonly to: string };
  readonly bar?: Bar;
}

/** A limit, and whether this run kept it. Printed, never asserted: a busy machine is no defect of the code. */
export interface Bar {
  readonly atMost: number;
  readonly of: 'value' | 'ratio';
  readonly met: boolean;
}

/** Figures that belong together. */
export interface Section {
  readonly title: string;
  /** How it was measured, in one sentence. */
  readonly how: string;
  readonly figures: readonly Figure[];
}

/** What a benchmark found in one run. */
export interface Report {
  readonly benchmark: string;
  readonly machine: Machine;
  readonly sections: readonly Section[];
}

/** What the figures depend on. */
export interface Machine {
  readonly node: string;
  readonly platform: string;
  readonly cores: number;
  readonly cpu: string;
  /** Mean number of processes that wanted a core in the minute before the run. */
  readonly load: number;
}

/** This machine, now: call it before the run, which loads the machine itself. */
export function describeMachine(): Machine {
  const processors = cpus();
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cores: processors.length,
    cpu: processors[0]?.model ?? 'unknown',
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

/** A figure whose own value has a bar. */
export function atMost(limit: number, figure: Omit<Figure, 'bar'>): Figure {
  return { ...figure, bar: { atMost: limit, of: 'value', met: figure.value <= limit } };
}

/** A figure whose comparison has a bar. */
export function ratioAtMost(
  limit: number,
  figure: Omit<Figure, 'bar'> & Required<Pick<Figure, 'compared'>>,
): Figure {
  return { ...figure, bar: { atMost: limit, of: 'ratio', met: figure.compared.value <= limit } };
}

/** The report as Markdown, which also reads well in a terminal. */
export function markdown({ machine, sections }: Report): string {
  return [describeRun(machine), ...sections.map(sectionText)].join('\n\n');
}

/** What a run depends on, in one sentence. */
export function describeRun({ node, platform, cores, cpu, load }: Machine): string {
  return `Node ${node}, ${platform}, ${cores} cores (${cpu}), load ${load} before the run.`;
}

function sectionText({ title, how, figures }: Section): string {
  const header = ['measured', 'figure', 'compared', 'bar', 'met'];
  const rows = figures.map((figure) => [
    figure.name,
    `${digits(figure.value)} ${figure.unit}`,
    comparedText(figure.compared),
    barText(figure),
    figure.bar === undefined ? '' : figure.bar.met ? 'yes' : 'no',
  ]);
  return [`### ${title}`, how, table(header, rows)].join('\n\n');
}

function comparedText(compared: Figure['compared']): string {
  if (compared === undefined) return '';
  const [from, to] = compared.middleHalf;
  return `${compared.value.toFixed(2)} × ${compared.to} (${from.toFixed(2)}–${to.toFixed(2)})`;
}

function barText({ bar, unit }: Figure): string {
  if (bar === undefined) return '';
  return bar.of === 'ratio' ? `≤ ${bar.atMost.toFixed(2)} ×` : `≤ ${bar.atMost} ${unit}`;
}

/** A Markdown table whose columns line up in a terminal as well. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join(
    '\n',
  );
}

/** Three digits that say something. */
function digits(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
