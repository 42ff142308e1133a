import { parseArgs } from 'node:util';
import { type Entry, entries } from './entries.ts';

/** One condition under which everyone runs. */
export interface Setting {
  readonly processes: number;
  /** Calls at once, in each process. */
  readonly calls: number;
  /** How long the issuer takes for a token request, ms. */
  readonly latencyMs: number;
  /** Sessions of each contestant. */
  readonly sessions: number;
}

/** What a command line asks for. */
export interface Plan {
  readonly contestants: readonly Entry[];
  readonly settings: readonly Setting[];
  readonly json: boolean;
  readonly writeDocs: boolean;
  /** Path of the JSON of an earlier run, to be shown instead of a new one. */
  readonly from?: string;
}

/** The default run: a few minutes. 100 calls at a slow issuer take many more, and are there for the asking. */
const defaultSettings: readonly Setting[] = [
  { processes: 1, calls: 10, latencyMs: 40, sessions: 10 },
  { processes: 1, calls: 100, latencyMs: 40, sessions: 2 },
  { processes: 1, calls: 10, latencyMs: 1500, sessions: 10 },
  { processes: 4, calls: 10, latencyMs: 40, sessions: 10 },
  { processes: 4, calls: 100, latencyMs: 40, sessions: 2 },
  { processes: 4, calls: 10, latencyMs: 1500, sessions: 10 },
];

/** The options of the command line. @throws {TypeError} that names the option which is wrong. */
export function readPlan(): Plan {
  const { values } = parseArgs({
    options: {
      contestants: { type: 'string' },
      processes: { type: 'string' },
      calls: { type: 'string' },
      latency: { type: 'string' },
      sessions: { type: 'string' },
      json: { type: 'boolean', default: false },
      'write-docs': { type: 'boolean', default: false },
      from: { type: 'string' },
    },
  });
  const { contestants, processes, calls, latency, sessions, json, from } = values;
  const chosen = {
    processes: numbers('processes', processes),
    calls: numbers('calls', calls),
    latencies: numbers('latency', latency),
    sessions: numbers('sessions', sessions),
  };
  if (chosen.sessions !== undefined && chosen.sessions.length > 1)
    throw new TypeError(`--sessions must be one number; got ${sessions}`);
  return {
    contestants: contestants === undefined ? entries : contestants.split(',').map(entryOf),
    settings: settingsOf(chosen),
    json,
    writeDocs: values['write-docs'],
    ...(from === undefined ? {} : { from }),
  };
}

interface Chosen {
  readonly processes?: readonly number[] | undefined;
  readonly calls?: readonly number[] | undefined;
  readonly latencies?: readonly number[] | undefined;
  readonly sessions?: readonly number[] | undefined;
}

/** The default settings, or every combination of what was chosen. */
function settingsOf({ processes, calls, latencies, sessions }: Chosen): readonly Setting[] {
  if (!processes && !calls && !latencies)
    return defaultSettings.map((setting) => ({
      ...setting,
      sessions: sessions?.[0] ?? setting.sessions,
    }));
  return (processes ?? [1, 4]).flatMap((processCount) =>
    (latencies ?? [40, 1500]).flatMap((latencyMs) =>
      (calls ?? [10]).map((callCount) => ({
        processes: processCount,
        calls: callCount,
        latencyMs,
        sessions: sessions?.[0] ?? (callCount > 10 ? 2 : 10),
      })),
    ),
  );
}

function numbers(option: string, text: string | undefined): readonly number[] | undefined {
  return text?.split(',').map((part) => {
    const value = Number(part);
    if (Number.isInteger(value) && value > 0) return value;
    throw new TypeError(`--${option} must be whole numbers above 0, like 1,4; got ${text}`);
  });
}

function entryOf(id: string): Entry {
  const entry = entries.find((one) => one.id === id);
  if (entry !== undefined) return entry;
  const known = entries.map((one) => one.id).join(', ');
  throw new TypeError(`--contestants must be among ${known}; got ${id}`);
}
