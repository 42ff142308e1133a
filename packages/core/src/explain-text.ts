import type { AuditEntry, ChainVerification } from './audit-chain.ts';
import { areaOf, sentenceOf } from './explain-words.ts';
import type { ExplainedAuthority, ExplainedCall, ExplainedFacts } from './explained-facts.ts';
import type { Principal } from './principal.ts';

/** What a timeline is made from. */
export interface TimelineParts {
  readonly taskId: string;
  readonly status: string;
  readonly onBehalfOf?: Principal | undefined;
  readonly facts: ExplainedFacts;
  readonly entries: readonly AuditEntry[];
  readonly verified: readonly ChainVerification[];
}

/**
 * A timeline for people: a heading, the answers (under which authority, what was done, refused, and is unknown), one
 * line an entry with the time since the start, and whether the record is as it was written. Names the processes by letter when there was more than one.
 */
export function explanationText(parts: TimelineParts): string {
  const { entries, verified } = parts;
  const broken = verified.filter((verification) => !verification.ok);
  const blocks = [
    heading(parts),
    ...(entries.length === 0 ? [] : [answers(parts)]),
    ...(entries.length === 0 ? [] : [timeline(parts)]),
    ...(broken.length === 0 ? [soundness(verified)] : [broken.map(damage).join('\n')]),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function heading({ taskId, status, onBehalfOf, facts, entries, verified }: TimelineParts): string {
  const title = printable(`Task ${taskId}: ${status}`);
  const first = entries[0];
  const last = entries.at(-1);
  if (first === undefined || last === undefined) return `${title}\nNothing is recorded about it.`;
  const { agent, principal } = facts;
  const line = [
    ...(agent === undefined ? [] : [`agent ${agent}`]),
    ...(principal === undefined ? [] : [`for ${personOf(onBehalfOf)}principal ${principal}`]),
    `since ${date(first.at)}`,
    `${count(entries.length, 'entry', 'entries')} over ${duration(last.at - first.at)}`,
  ];
  const warning = verified.every(({ ok }) => ok) ? [] : ['THE RECORD IS DAMAGED: see the end.'];
  return [title, printable(line.join(' · ')), ...warning].join('\n');
}

/** A person's name, and the tenant and directory that tell them from their namesakes. */
function personOf(principal: Principal | undefined): string {
  if (principal === undefined) return '';
  const { subject, tenant, issuer } = principal;
  const where = [tenant, issuer].filter((part) => part !== undefined).join(', ');
  return `${subject}${where === '' ? '' : ` (${where})`}, `;
}

/** Under which authority, and what became of each call, a line each. */
function answers({ facts }: TimelineParts): string {
  const { authorities, calls, personState } = facts;
  const of = (...outcomes: ExplainedCall['outcome'][]): string => {
    const found = calls.filter(({ outcome }) => outcomes.includes(outcome));
    return found.length === 0 ? 'nothing' : byTool(found).join(', ');
  };
  const lines = [
    ...authorities.map((authority) => ['authority', authorityWords(authority)]),
    ...(personState === undefined ? [] : [['person', personState]]),
    ['done', of('done')],
    ['refused', of('refused')],
    ['unknown', of('unknown', 'under way')],
  ];
  return lines.map(([label = '', words]) => printable(`  ${label.padEnd(9)}  ${words}`)).join('\n');
}

function authorityWords(authority: ExplainedAuthority): string {
  const { resource = 'a resource', scopes, grant, grantState, generation, state } = authority;
  const number = generation === undefined ? '' : `, generation ${generation}`;
  const from = grant === undefined ? '' : ` of grant ${grant.slice(0, 8)} (${grantState}${number})`;
  return `${resource}: ${scopes.join(' ')}${from}, ${state}`;
}

/** Each call by its id while they are few; else how often each tool was called. */
function byTool(calls: readonly ExplainedCall[]): string[] {
  if (calls.length <= fewCalls) return calls.map(callWords);
  const counts = new Map<string, number>();
  for (const { toolName, toolCallId } of calls) {
    const name = toolName ?? toolCallId;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([name, times]) => `${times} ${name}`);
}

const fewCalls = 5;

function callWords({ toolName, toolCallId, outcome, code, saidBy }: ExplainedCall): string {
  const notes = [
    ...(toolName === undefined ? [] : [toolCallId]),
    ...(outcome === 'under way' ? ['no end of it is recorded'] : []),
    ...(code === undefined ? [] : [code]),
    ...(saidBy === undefined ? [] : [`said ${saidBy}`]),
  ];
  return `${toolName ?? toolCallId}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`;
}

interface Row {
  readonly time: string;
  readonly process: string;
  readonly area: string;
  readonly sentence: string;
}

function timeline({ entries, taskId }: TimelineParts): string {
  const start = entries[0]?.at ?? 0;
  const processes = [...new Set(entries.flatMap((entry) => entry.process ?? []))];
  const many = processes.length > 1;

  const rows = entries.flatMap((entry): Row[] => {
    const row = {
      time: `${entry.at < start ? '-' : '+'}${elapsed(Math.abs(entry.at - start))}`,
      process: entry.process === undefined ? '' : letter(processes.indexOf(entry.process)),
      area: areaOf(entry),
      sentence: sentenceOf(entry, taskId),
    };
    if (entry.dropped === undefined) return [row];
    const gap = `${count(entry.dropped, 'event', 'events')} could not be kept here`;
    return [{ ...row, time: '', process: '', sentence: `… ${gap} …` }, row];
  });

  const timeWidth = widest(rows.map(({ time }) => time));
  const areaWidth = widest(rows.map(({ area }) => area));
  const lines = rows.map(({ time, process, area, sentence }) =>
    [
      `  ${time.padStart(timeWidth)}`,
      ...(many ? [process.padEnd(letter(processes.length - 1).length)] : []),
      area.padEnd(areaWidth),
      sentence,
    ].join('  '),
  );
  const legend = processes.map((process, position) => `${letter(position)} = ${process}`);
  return [...lines, ...(many ? ['', `  Processes: ${legend.join(', ')}`] : [])]
    .map(printable)
    .join('\n');
}

function soundness(verified: readonly ChainVerification[]): string {
  const total = verified.reduce((sum, one) => sum + (one.ok ? one.entries : 0), 0);
  return total === 0
    ? 'Verified: there is nothing to verify.'
    : `Verified: ${count(total, 'entry', 'entries')} in ${count(verified.length, 'stream', 'streams')}, each as it was written.`;
}

function damage(verification: ChainVerification): string {
  if (verification.ok) return '';
  const { stream, sequence, problem } = verification;
  const what = {
    changed: 'is not what was written',
    missing: 'is missing',
    reordered: 'has changed places with another',
    foreign: 'belongs to another stream',
  }[problem];
  return printable(
    `NOT AS WRITTEN: entry ${sequence} of ${stream} ${what}; do not trust it, nor what follows it there.`,
  );
}

function date(at: number): string {
  const known = new Date(at);
  return Number.isNaN(known.getTime())
    ? `${at} ms`
    : known.toISOString().replace('T', ' ').replace('Z', ' UTC');
}

/** To the tenth of a second, so that lines far from the start can still be told apart: `1 h 02 min 03.4 s`. */
function elapsed(milliseconds: number): string {
  const tenths = Math.round(milliseconds / 100);
  const minutes = Math.floor(tenths / 600);
  const seconds = ((tenths % 600) / 10).toFixed(1);
  return minutes === 0 ? `${seconds} s` : `${inMinutes(minutes)} ${seconds.padStart(4, '0')} s`;
}

/** As a length of time is said: `12.4 s`, `2 min`, `1 h 02 min`. */
function duration(milliseconds: number): string {
  const minutes = Math.round(milliseconds / 60_000);
  return milliseconds < 60_000 ? elapsed(milliseconds) : inMinutes(minutes);
}

function inMinutes(minutes: number): string {
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return `${minutes} min`;
  const rest = `${twoDigits(minutes % 60)} min`;
  return hours < 24
    ? `${hours} h ${rest}`
    : `${Math.floor(hours / 24)} d ${twoDigits(hours % 24)} h ${rest}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** A to Z, then Z2, Z3 …: enough to tell processes apart. */
function letter(position: number): string {
  return position < 26 ? String.fromCharCode(65 + position) : `Z${position - 24}`;
}

function count(amount: number, one: string, many: string): string {
  return `${amount} ${amount === 1 ? one : many}`;
}

function widest(texts: readonly string[]): number {
  return texts.reduce((width, text) => Math.max(width, text.length), 0);
}

/**
 * One line, and only what can be seen: reasons come from issuers, and nothing in them may add a line, reverse one
 * or steer the terminal it is read in.
 */
function printable(line: string): string {
  return line.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\uFFFD');
}
