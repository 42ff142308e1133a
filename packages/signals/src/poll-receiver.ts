import { sleep, systemClock } from '@outlive/core';
import * as z from 'zod';
import { createIntake, type SecurityEventOptions } from './event-intake.ts';
import { type Credentials, requestJson } from './json-request.ts';
import { checkReceiver, credentialsSchema, secureUrlSchema } from './receiver-options.ts';
import { problemReporter } from './receiver-problem.ts';
import { SetError } from './set-error.ts';
import { SignalError } from './signal-error.ts';

/** Options of {@link createPollReceiver}. */
export interface PollReceiverOptions extends SecurityEventOptions {
  /** Where the transmitter hands out tokens: the stream's `delivery.endpoint_url`. */
  readonly endpoint: string;
  /** The `Authorization` header that the transmitter wants; a function is asked before each request. */
  readonly authorization: Credentials;
  /** Tokens that one request asks for at most. Default 100. */
  readonly maxEvents?: number;
}

/** What one poll brought. */
export interface PollReport {
  /** Tokens whose events took effect. */
  readonly accepted: number;
  /** Tokens that were refused, and the transmitter was told why. */
  readonly refused: readonly { readonly id: string; readonly error: SetError }[];
}

/** Asks a transmitter for its tokens (RFC 8936). */
export interface PollReceiver {
  /**
   * Fetches until nothing waits, and acknowledges what has taken effect. Made for a scheduled job.
   *
   * @throws {SignalError} when the transmitter cannot be asked, or answers what makes no sense.
   * @throws what the store throws. What had no effect was not acknowledged, and comes again.
   */
  poll(options?: { readonly signal?: AbortSignal }): Promise<PollReport>;
  /**
   * Polls until `signal` aborts: long polling, with a growing wait after failures. The receiver's `onProblem` hears of
   * those, and of each token that was refused.
   */
  follow(options: { readonly signal: AbortSignal }): Promise<void>;
}

interface Acknowledgement {
  readonly ack: string[];
  readonly setErrs: Record<string, { readonly err: string; readonly description: string }>;
}

const answerSchema = z.looseObject({
  sets: z.record(z.string(), z.string()).optional(),
  moreAvailable: z.boolean().optional(),
});
const answerLimitBytes = 8 * 1024 * 1024;
const firstRetryMs = 1000;
const longestRetryMs = 60_000;

/** Makes a receiver that polls. @throws {ConfigurationError} naming every wrong option. */
export function createPollReceiver(options: PollReceiverOptions): PollReceiver {
  const fields = {
    endpoint: secureUrlSchema,
    authorization: credentialsSchema,
    maxEvents: z.number().int().positive().optional(),
    onStreamEvent: z.custom((value) => typeof value === 'function').optional(),
  };
  checkReceiver(fields, options, 'createPollReceiver');
  const intake = createIntake(options);
  const report = problemReporter(options);
  const { endpoint, authorization, maxEvents = 100, clock = systemClock } = options;
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);

  async function ask(
    done: Acknowledgement,
    wanted: { readonly maxEvents: number; readonly returnImmediately: boolean },
    signal: AbortSignal | undefined,
  ): Promise<z.infer<typeof answerSchema>> {
    const { status, body } = await requestJson({
      url: endpoint,
      fetch,
      method: 'POST',
      authorization,
      body: { ...wanted, ...done },
      limitBytes: answerLimitBytes,
      signal,
    });
    if (status !== 200)
      throw new SignalError('refused', { problem: `the poll was answered with ${status}`, status });
    const result = answerSchema.safeParse(body ?? {});
    if (!result.success) throw new SignalError('malformed', { problem: 'the answer has no sets' });
    return result.data;
  }

  /** Takes in what came. What fails for a reason of this app's own is neither acknowledged nor refused. */
  async function takeIn(
    sets: Readonly<Record<string, string>>,
    done: Acknowledgement,
    report: { accepted: number; refused: { id: string; error: SetError }[] },
  ): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (const [id, token] of Object.entries(sets)) {
      try {
        const taken = await intake(token);
        if (taken.id !== id)
          throw new SetError('invalid_request', 'the token has another jti than it was named by');
        done.ack.push(id);
        report.accepted += 1;
      } catch (error) {
        if (error instanceof SetError) {
          done.setErrs[id] = { err: error.code, description: error.message };
          report.refused.push({ id, error });
        } else failures.push(error);
      }
    }
    return failures;
  }

  async function round(
    returnImmediately: boolean,
    signal: AbortSignal | undefined,
  ): Promise<PollReport> {
    const report = { accepted: 0, refused: [] as { id: string; error: SetError }[] };
    let done: Acknowledgement = { ack: [], setErrs: {} };
    let answer = await ask(done, { maxEvents, returnImmediately }, signal);
    for (;;) {
      const sets = answer.sets ?? {};
      done = { ack: [], setErrs: {} };
      const failures = await takeIn(sets, done, report);
      const hasNews = done.ack.length > 0 || Object.keys(done.setErrs).length > 0;
      if (failures.length > 0) {
        if (hasNews) await ask(done, { maxEvents: 0, returnImmediately: true }, signal);
        throw failures[0];
      }
      if (!hasNews) return report;
      answer = await ask(done, { maxEvents, returnImmediately: true }, signal);
    }
  }

  return {
    poll: ({ signal } = {}) => round(true, signal),
    async follow({ signal }) {
      let retryMs = firstRetryMs;
      while (!signal.aborted) {
        try {
          const { accepted, refused } = await round(false, signal);
          for (const { error: cause } of refused)
            report({ kind: 'refused', message: cause.message, cause });
          retryMs = firstRetryMs;
          // A transmitter that does not wait before it says that there is nothing is left alone for a moment.
          if (accepted + refused.length === 0) await pause(firstRetryMs, signal);
        } catch (cause) {
          if (signal.aborted) return;
          report({ kind: 'unavailable', message: 'the poll failed', cause });
          await pause(retryMs, signal);
          retryMs = Math.min(longestRetryMs, retryMs * 2);
        }
      }
    },
  };

  /** Ends early, and quietly, when the receiver is stopped. */
  function pause(ms: number, signal: AbortSignal): Promise<void> {
    return sleep(clock, ms, signal).catch(() => undefined);
  }
}
