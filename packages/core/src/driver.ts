/**
 * What drivers of `Store` have in common: operations that end in time on connections that break, watchers that are
 * woken, texts that can be stored. Apps need none of it.
 *
 * @packageDocumentation
 */

export { createDeadline, type Deadline } from './driver/deadline.ts';
export {
  createSession,
  type Failure,
  type Operation,
  type Session,
  type SessionParts,
} from './driver/session.ts';
export { assertWellFormed } from './driver/stored-text.ts';
export { createWaker, type Waker } from './driver/waker.ts';
