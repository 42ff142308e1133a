import { SpanStatusCode } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { expect, it } from 'vitest';
import { openTelemetrySink } from '../src/opentelemetry.ts';
import { alice, createWorld, reading, writing } from './world.ts';

async function tracedTask() {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  const sink = openTelemetrySink({ tracer: provider.getTracer('test') });
  const world = await createWorld({ process: { audit: { sinks: [sink] } } });
  const process = world.start();
  await world.grant(process);
  const task = await world.task(process);
  return { world, process, task, spans: () => exporter.getFinishedSpans() };
}

it('tells each call as a span, in the one trace of its task, whichever process made it', async () => {
  const { world, process, task, spans } = await tracedTask();
  await using _ = world;
  const other = world.start();
  const there = await other.outlive.task(task.id);
  for (const [at, one] of [task, there].entries()) {
    const call = one?.startRun().call({
      requirement: writing,
      toolName: 'items',
      toolCallId: `c${at}`,
      input: {},
    });
    await call?.principal.fetch('items', { method: 'POST' });
    await call?.settle({ ok: true });
  }
  await process.outlive.close();
  await other.outlive.close();

  const calls = spans().filter(({ name }) => name === 'outlive.tool_call');
  expect(calls.map(({ attributes }) => attributes)).toMatchObject([
    {
      'outlive.task_id': task.id,
      'outlive.tool_name': 'items',
      'outlive.outcome': 'done',
      'outlive.scopes': ['write'],
      'outlive.effect': 'reversible',
      'outlive.agent': 'agent',
    },
    { 'outlive.tool_call_id': 'c1' },
  ]);
  const traceId = Buffer.from(task.id, 'base64url').toString('hex');
  for (const span of spans())
    if (span.attributes['outlive.task_id'] !== undefined)
      expect(span.spanContext().traceId).toBe(traceId);
  for (const { startTime, endTime, events } of calls) {
    expect(endTime[0] * 1e9 + endTime[1]).toBeGreaterThan(startTime[0] * 1e9 + startTime[1]);
    expect(events.map(({ name }) => name)).toEqual(['tool-call-settled']);
  }
});

it('tells what was refused as an error, and everything else as events', async () => {
  const { world, process, task, spans } = await tracedTask();
  await using _ = world;
  const call = task
    .startRun()
    .call({ requirement: reading, toolName: 'items', toolCallId: 'c', input: {} });
  world.turn('revoked');
  await call.principal.fetch('items').catch(() => undefined);
  await process.outlive.close();
  const refused = spans().find(({ name }) => name === 'outlive.tool_call');
  expect(refused?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'user_state' });
  const names = spans().map(({ name }) => name);
  for (const name of [
    'outlive.grant-imported',
    'outlive.task-started',
    'outlive.user-state-changed',
  ])
    expect(names).toContain(name);
});

it('tells a refresh as a span from its claim to its end, and no token anywhere', async () => {
  const { world, process, task, spans } = await tracedTask();
  await using _ = world;
  await task.getAccessToken(reading, { rejectedGeneration: 0 });
  await process.outlive.close();
  const refresh = spans().find(({ name }) => name === 'outlive.refresh');
  expect(refresh?.attributes).toMatchObject({ 'outlive.generation': 1, 'outlive.provider': 'p' });
  expect(refresh?.events.map(({ name }) => name)).toEqual(['token-refreshed']);
  const told = JSON.stringify(
    spans().map(({ name, attributes, events }) => [name, attributes, events]),
  );
  for (const { value } of world.issuer.issuedTokens()) expect(told).not.toContain(value);
  expect(told).not.toContain(alice.subject);
});
