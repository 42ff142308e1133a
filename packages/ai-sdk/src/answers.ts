import { ConfigurationError } from '@outlive/core';
import type { ModelMessage, ToolModelMessage, ToolResultPart } from 'ai';
import type { PausedRun, PendingCall } from './paused-run.ts';
import { declinedReason } from './ui/declined-reason.ts';

/** What people, and tools that run elsewhere, say to the calls that a paused run waits for. */
export interface Answers {
  /**
   * Ids of calls that wait for the app's own approval, and that have it. That the task goes on approves none of them:
   * each is to be approved or declined.
   */
  readonly approve?: readonly string[];
  /** Ids of calls that the person refused: the model is told, and they do not run. */
  readonly decline?: readonly string[];
  /** What the tools that run elsewhere returned, by the id of the call: JSON data. */
  readonly results?: Readonly<Record<string, unknown>>;
  /** What the person wrote instead of answering: no call that waits runs, and the model reads this. */
  readonly reply?: string;
}

type AnswerPart = ToolModelMessage['content'][number];
type JsonOutput = Extract<ToolResultPart['output'], { type: 'json' }>;

/** Said to the model, in words that tell it nothing else. */
const done = 'This action has been done before; a person confirmed it. It is not done again.';

/**
 * The conversation with which a paused run goes on.
 *
 * The SDK executes approved calls, with the ids they had, before the model gets a turn. Calls that `happened` before
 * are not executed: the model is told that they were.
 */
export function answeredMessages(
  paused: PausedRun,
  answers: Answers,
  happened: ReadonlySet<string> = new Set(),
): ModelMessage[] {
  const { messages, pending } = paused;
  const { decline = [], results = {}, reply } = answers;
  const answer = (call: PendingCall): AnswerPart => {
    const { toolCallId, toolName, approvalId } = call;
    const hasHappened = happened.has(toolCallId);
    const no = reply !== undefined || hasHappened || decline.includes(toolCallId);
    const reason = hasHappened ? done : declinedReason;
    if (approvalId !== undefined && reply === undefined)
      return {
        type: 'tool-approval-response',
        approvalId,
        ...(no ? { approved: false, reason } : { approved: true }),
      };
    // Read by the model only: nobody asks the SDK to execute anything.
    const output: ToolResultPart['output'] = no
      ? { type: 'execution-denied', reason }
      : { type: 'json', value: results[toolCallId] as JsonOutput['value'] };
    return { type: 'tool-result', toolCallId, toolName, output };
  };
  return [
    ...messages,
    ...(pending.length > 0 ? [{ role: 'tool' as const, content: pending.map(answer) }] : []),
    ...(reply === undefined ? [] : [{ role: 'user' as const, content: reply }]),
  ];
}

/** The paused run once the person wrote something else: nothing of it waits any more but the model's turn. */
export function repliedTo(paused: PausedRun, answers: Answers): PausedRun {
  if (answers.reply === undefined) return paused;
  return { ...paused, messages: answeredMessages(paused, answers), pending: [] };
}

/**
 * Checks that every call that needs an answer has one, and no other.
 *
 * @throws {ConfigurationError} naming the option, what was expected and what came.
 */
export function assertAnswers({ pending }: PausedRun, answers: Answers): void {
  const { approve = [], decline = [], results = {}, reply } = answers;
  const given = { approve, decline, results: Object.keys(results) };
  const kinds = { approve: 'approval', results: 'result', decline: undefined } as const;
  for (const [option, kind] of Object.entries(kinds) as [keyof typeof kinds, string][]) {
    const ids = pending.filter(({ waitsFor }) => waitsFor === (kind ?? waitsFor));
    const unknown = given[option].find((id) => !ids.some(({ toolCallId }) => toolCallId === id));
    const which = kind === undefined ? 'pending calls' : `calls that wait for their ${kind}`;
    if (unknown !== undefined) throw wrong(option, `ids of ${which}`, unknown);
    if (reply !== undefined && given[option].length > 0)
      throw wrong('reply', `no ${option} beside it`, reply);
  }
  if (reply !== undefined) return;
  for (const { toolCallId, waitsFor } of pending) {
    const isDeclined = decline.includes(toolCallId);
    if (waitsFor === 'approval' && approve.includes(toolCallId) === isDeclined)
      throw wrong('approve', `call ${toolCallId} to be either approved or declined`, answers);
    if (waitsFor === 'result' && Object.hasOwn(results, toolCallId) === isDeclined)
      throw wrong('results', `a result for call ${toolCallId}, unless it is declined`, answers);
  }
}

function wrong(option: string, expected: string, came: unknown): ConfigurationError {
  const shown = typeof came === 'object' ? JSON.stringify(Object.keys(came ?? {})) : `"${came}"`;
  return new ConfigurationError(
    `resumeTask: options.${option}: expected ${expected}, got ${shown}`,
    [`options.${option}`],
  );
}
