// What runs again when a paused graph is resumed, in each set-up. Run with `--write-docs` it writes the table into the guide.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import type { ClientTool } from '@langchain/core/tools';
import { MemorySaver, MessagesAnnotation, START, StateGraph } from '@langchain/langgraph';
import { createReactAgent, ToolNode, toolsCondition } from '@langchain/langgraph/prebuilt';
import type { BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import { PostgresSaver } from '@langchain/langgraph-checkpoint-postgres';
import { ConfigurationError } from '@outlive/core';
import { resumeTask, withTask } from '@outlive/langchain';
import { createScriptedModel } from '@outlive/testing';
import { createAgent } from 'langchain';
import { sqliteSaver } from '../../examples/langgraph-two-processes/src/sqlite-saver.ts';
import { postgresServer } from '../servers/postgres-server.ts';
import { TestChatModel } from './chat-model.ts';
import { type Agent, build, defineTools, graphs, scriptOf } from './langchain-adapter.ts';
import { createLatch } from './scenario.ts';
import { scopes } from './scenario-runtime.ts';
import { createScenarioWorld, firstScopes, type ScenarioWorld } from './scenario-world.ts';

/** When LangGraph writes its checkpoints. */
export const durabilities = ['sync', 'async', 'exit'] as const;

const keepers = ['no checkpointer', 'MemorySaver', 'SqliteSaver', 'PostgresSaver'] as const;
type Keeper = (typeof keepers)[number];

/** Every set-up: each graph with its gate, and without one. */
const setups = [...graphs, ...graphs.map((graph) => `${graph}, without a gate`)] as const;

/** One set-up that was run: what ran again when it was resumed. */
export interface MatrixCell {
  readonly setup: string;
  readonly keeper: Keeper;
  readonly durability: string;
  readonly outcome: string;
}

const marks = ['<!-- resume-matrix: begin -->', '<!-- resume-matrix: end -->'] as const;
const page = new URL('../../docs/guides/langchain.md', import.meta.url);

/** Runs all set-ups, one after the other. */
export async function runMatrix(): Promise<readonly MatrixCell[]> {
  const folder = mkdtempSync(join(tmpdir(), 'outlive-matrix-'));
  const server = await postgresServer();
  await using world = await createScenarioWorld();
  const cells: MatrixCell[] = [];
  try {
    for (const setup of setups)
      for (const keeper of keepers)
        for (const durability of keeper === 'no checkpointer' ? ['none'] : durabilities) {
          const thread = `${setup} ${keeper} ${durability}`;
          const memory = new MemorySaver();
          const open = (): OpenSaver => openSaver(keeper, { memory, folder, url: server.url });
          const outcome = await runCell(world, { setup, durability, thread, open });
          cells.push({ setup, keeper, durability, outcome });
        }
    return cells;
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The cells as Markdown: a row for each set-up, a column for each keeper. */
export function matrixTable(cells: readonly MatrixCell[]): string {
  const rows = setups.map((setup) => [
    setup,
    ...keepers.map((keeper) => {
      const found = cells.filter((cell) => cell.setup === setup && cell.keeper === keeper);
      const outcomes = new Set(found.map(({ outcome }) => outcome));
      return outcomes.size === 1
        ? [...outcomes].join()
        : found.map(({ durability, outcome }) => `${durability}: ${outcome}`).join('; ');
    }),
  ]);
  const line = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`;
  return [line(['', ...keepers]), line(['', ...keepers].map(() => '---')), ...rows.map(line)].join(
    '\n',
  );
}

/** The table that the guide has. */
export function writtenTable(): string {
  const [, rest = ''] = readFileSync(page, 'utf8').split(marks[0]);
  return (rest.split(marks[1])[0] ?? '').trim();
}

interface OpenSaver extends AsyncDisposable {
  readonly saver: BaseCheckpointSaver | undefined;
}

interface Places {
  readonly memory: MemorySaver;
  readonly folder: string;
  readonly url: string;
}

function openSaver(keeper: Keeper, { memory, folder, url }: Places): OpenSaver {
  switch (keeper) {
    case 'no checkpointer':
      return { saver: undefined, async [Symbol.asyncDispose]() {} };
    case 'MemorySaver':
      return { saver: memory, async [Symbol.asyncDispose]() {} };
    case 'SqliteSaver': {
      const saver = sqliteSaver(join(folder, 'checkpoints.db'));
      return { saver, [Symbol.asyncDispose]: () => saver[Symbol.asyncDispose]() };
    }
    case 'PostgresSaver': {
      const saver = PostgresSaver.fromConnString(url);
      return { saver, [Symbol.asyncDispose]: () => saver.end() };
    }
  }
}

interface Cell {
  readonly setup: string;
  readonly durability: string;
  readonly thread: string;
  readonly open: () => OpenSaver;
}

const calls = ['payInvoice', 'listInvoices', 'addNote', 'wait'].map((tool) => ({
  tool,
  id: `${tool} call`,
}));

async function runCell(
  world: ScenarioWorld,
  { setup, durability, thread, open }: Cell,
): Promise<string> {
  await world.reconnect(firstScopes);
  const task = await world.startTask();
  // The payment is refused when everything else of its turn is done.
  const finished = createLatch();
  let started = 0;
  world.moments.toolStarted = (call) =>
    call.startsWith('payInvoice') ? finished.opened : undefined;
  world.moments.toolEnded = (call) => {
    if (!call.startsWith('payInvoice')) started += 1;
    if (started === 2) finished.open();
  };
  const config = {
    ...(durability === 'none' ? {} : { durability, configurable: { thread_id: thread } }),
  };
  const tools = defineTools(world.tools);

  const start = async () => {
    await using first = open();
    await setUp(first);
    const agent = buildSetup(setup, chatModel([calls]), tools, first.saver);
    const input = { messages: [{ role: 'user', content: 'Pay what is due.' }] };
    return await withTask(task, agent).invoke(input, config);
  };
  const outcome = await start();
  if (outcome.status !== 'paused') return `not paused but ${outcome.status}`;

  world.moments.toolStarted = () => undefined;
  await world.reconnect(scopes);
  await world.approve(outcome.pause.id);
  const before = world.executed.length;
  await using second = open();
  const again = buildSetup(setup, chatModel(['All is paid.']), tools, second.saver);
  try {
    const resumed = await resumeTask(world.outlive, outcome.state, again).invoke(config);
    // What a run that fails has begun until then is not decided: its calls are made at once.
    if (resumed.status !== 'completed') return resumed.status;
    const reran = world.executed.slice(before).map((call) => call.split(':')[0] ?? '');
    return reran.toSorted((one, other) => order(one) - order(other)).join(', ');
  } catch (error) {
    if (error instanceof ConfigurationError) return 'cannot be resumed';
    throw error;
  }
}

async function setUp({ saver }: OpenSaver): Promise<void> {
  if (saver instanceof PostgresSaver) await saver.setup();
}

function order(tool: string): number {
  return calls.findIndex((call) => call.tool === tool);
}

function chatModel(turns: Parameters<typeof scriptOf>[0]): TestChatModel {
  return new TestChatModel(createScriptedModel(scriptOf(turns)));
}

function buildSetup(
  setup: string,
  llm: TestChatModel,
  tools: ClientTool[],
  saver: BaseCheckpointSaver | undefined,
): Agent {
  const [graph = '', without] = setup.split(', ');
  return without === undefined
    ? build(graph, llm, tools, saver)
    : buildWithoutGate(graph, llm, tools, saver);
}

function buildWithoutGate(
  graph: string,
  llm: TestChatModel,
  tools: ClientTool[],
  saver: BaseCheckpointSaver | undefined,
): Agent {
  const kept = saver === undefined ? {} : { checkpointer: saver };
  const version = graph.endsWith('v1') ? 'v1' : 'v2';
  if (graph.startsWith('createAgent'))
    return createAgent({ model: llm, tools, version, ...kept }) as Agent;
  if (graph.startsWith('createReactAgent'))
    return createReactAgent({ llm, tools, version, ...kept }) as Agent;
  return new StateGraph(MessagesAnnotation)
    .addNode('model', async ({ messages }, config) => ({
      messages: [await llm.invoke(messages, config)],
    }))
    .addNode('tools', new ToolNode(tools))
    .addEdge(START, 'model')
    .addConditionalEdges('model', toolsCondition)
    .addEdge('tools', 'model')
    .compile(kept) as Agent;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const table = matrixTable(await runMatrix());
  if (argv.includes('--write-docs')) writePage(table);
  console.log(table);
}

/** The table in the guide comes from a run, between two marks, and is never typed. */
function writePage(table: string): void {
  const [begin, end] = marks;
  const text = readFileSync(page, 'utf8');
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`docs/guides/langchain.md: expected ${begin} and then ${end}`);
  writeFileSync(page, `${before}${begin}\n\n${table}\n\n${end}${after}`);
}
