import * as z from 'zod';
import type { Audit } from './audit.ts';
import type { AuditHead, ChainVerification } from './audit-chain.ts';
import { taskStream } from './audit-streams.ts';
import { explain } from './explain.ts';
import { checked } from './validation.ts';

/** The newest entry of one stream of the audit log, to be kept where the store's owner cannot reach. Plain JSON data. */
export interface StreamHead extends AuditHead {
  readonly stream: string;
}

/** Options of `outlive.verify`. */
export interface VerifyOptions {
  /** Heads of the task's streams that were kept elsewhere: an end that was cut off since then is found. */
  readonly anchors?: readonly StreamHead[];
}

const optionsSchema = z.strictObject({
  anchors: z
    .array(
      z.strictObject({ stream: z.string(), sequence: z.int().positive(), hash: z.string().min(1) }),
    )
    .optional(),
});

/**
 * Whether the record of a task is as it was written: the first of its streams that is not, or the task's own.
 *
 * @throws {ConfigurationError} when an anchor is not what `heads` answered.
 * @throws {StoreError} when the store cannot be read.
 */
export async function verify(
  audit: Audit,
  taskId: string,
  options: VerifyOptions = {},
): Promise<ChainVerification> {
  const { anchors = [] } = checked(optionsSchema, options, 'verify');
  const { verified } = await explain({ audit, taskId });
  const wrong = verified.find(({ ok }) => !ok);
  if (wrong !== undefined) return wrong;
  // Each for itself: of a task whose stream is gone, nothing says any more which its other streams are.
  for (const anchor of anchors) {
    const verification = await audit.verify(anchor.stream, anchor);
    if (!verification.ok) return verification;
  }
  return audit.verify(taskStream(taskId));
}

/**
 * Where the streams of a task end now: its own first, then those of its grants and of its person.
 *
 * @throws {StoreError} when the store cannot be read.
 */
export async function heads(audit: Audit, taskId: string): Promise<readonly StreamHead[]> {
  const { verified } = await explain({ audit, taskId });
  const found = await Promise.all(
    verified.map(async ({ stream }) => ({ stream, head: await audit.head(stream) })),
  );
  return found.flatMap(({ stream, head }) => (head === undefined ? [] : [{ stream, ...head }]));
}
