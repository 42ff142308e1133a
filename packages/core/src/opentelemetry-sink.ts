import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { decode } from 'jose/base64url';
import type { AuditEntry } from './audit-chain.ts';
import type { AuditEventType } from './audit-event.ts';
import type { AuditSink } from './audit-sink.ts';
import { createRecentMap } from './recent-map.ts';

/** What {@link openTelemetrySink} takes. */
export interface OpenTelemetrySinkOptions {
  /** Default: the global provider's tracer `outlive`. */
  readonly tracer?: Tracer;
  /** Default `opentelemetry`. */
  readonly name?: string;
  /** Default `continue`. Exporters report their failures elsewhere; here only a tracer that throws counts. */
  readonly whenFailing?: AuditSink['whenFailing'];
}

/** What begins a span, and what may end it. The two share an id. */
const spans: readonly {
  readonly name: string;
  readonly begins: AuditEventType;
  readonly ends: readonly AuditEventType[];
  readonly id: (entry: AuditEntry) => string | undefined;
}[] = [
  {
    name: 'outlive.tool_call',
    begins: 'tool-call-started',
    ends: ['tool-call-settled'],
    id: ({ runId, toolCallId }) => toolCallId && `${runId} ${toolCallId}`,
  },
  {
    name: 'outlive.refresh',
    begins: 'refresh-claimed',
    ends: ['token-refreshed', 'refresh-deferred', 'refresh-abandoned', 'refresh-in-doubt'],
    id: ({ attempt }) => attempt,
  },
  {
    name: 'outlive.pause',
    begins: 'task-paused',
    ends: ['task-resumed', 'pause-expired'],
    id: ({ pauseId }) => pauseId,
  },
];

/** How many spans that have begun are remembered: the oldest are told without their beginning. */
const openLimit = 4096;
const failures: ReadonlySet<string> = new Set(['refused', 'unknown', 'not recorded']);

/**
 * A sink that tells calls, refreshes and pauses as spans, and everything else as a span of no length with one event.
 *
 * All spans of a task are in one trace, whichever process they come from: the task's id is the trace id. A span is
 * made when it has ended; one whose process is gone is not. Attributes hold ids, names and outcomes: never a token, an
 * argument or an answer.
 */
export function openTelemetrySink(options: OpenTelemetrySinkOptions = {}): AuditSink {
  const { name = 'opentelemetry', whenFailing = 'continue' } = options;
  const begun = createRecentMap<string, AuditEntry>(openLimit);

  function emit(spanName: string, begin: AuditEntry, end: AuditEntry): void {
    // Asked for each time: an app may register its provider after this was made.
    const tracer = options.tracer ?? trace.getTracer('outlive');
    const attributes = { ...attributesOf(begin), ...attributesOf(end) };
    const span = tracer.startSpan(
      spanName,
      { startTime: new Date(begin.at), attributes },
      contextOf(end),
    );
    span.addEvent(end.type, attributesOf(end), new Date(end.at));
    if (failures.has(end.outcome ?? '') || end.type.endsWith('-failed'))
      span.setStatus({
        code: SpanStatusCode.ERROR,
        ...(end.code === undefined ? {} : { message: end.code }),
      });
    span.end(new Date(Math.max(begin.at, end.at)));
  }

  return {
    name,
    whenFailing,
    write(entry) {
      for (const kind of spans) {
        const id = kind.id(entry);
        if (id === undefined) continue;
        if (entry.type === kind.begins) return void begun.set(`${kind.name} ${id}`, entry);
        if (kind.ends.includes(entry.type))
          return emit(kind.name, begun.get(`${kind.name} ${id}`) ?? entry, entry);
      }
      return emit(`outlive.${entry.type}`, entry, entry);
    },
  };
}

function attributesOf(entry: AuditEntry): Attributes {
  const { at: _at, type, scopes, hash: _hash, ...fields } = entry;
  return {
    'outlive.type': type,
    ...Object.fromEntries(
      Object.entries(fields).map(([field, value]) => [`outlive.${snakeCase(field)}`, value]),
    ),
    ...(scopes === undefined ? {} : { 'outlive.scopes': [...scopes] }),
  };
}

function snakeCase(field: string): string {
  return field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The trace of a task. Its id is 128 random bits, which is what a trace id is. */
function contextOf({ taskId }: AuditEntry): Context {
  const traceId = taskId === undefined ? undefined : hexOf(taskId);
  if (traceId === undefined) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId: traceId.slice(0, 16),
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
}

function hexOf(taskId: string): string | undefined {
  try {
    const bytes = decode(taskId);
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return bytes.length === 16 && !/^0{16}/.test(hex) ? hex : undefined;
  } catch {
    // Not an id that the runtime drew: its spans then stand alone.
    return undefined;
  }
}
