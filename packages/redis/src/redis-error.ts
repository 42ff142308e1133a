import { StoreError } from '@outlive/core';

/** Error codes of the server that say that nothing was done, and that it may be different soon. */
const passing = new Set([
  'LOADING',
  'BUSY',
  'TRYAGAIN',
  'CLUSTERDOWN',
  'MASTERDOWN',
  'MOVED',
  'ASK',
]);

/** Those after which another connection may reach a better server. */
const elsewhere = new Set(['READONLY', 'CLUSTERDOWN', 'MASTERDOWN', 'MOVED', 'ASK']);

const codes =
  /\b(NOSCRIPT|READONLY|OOM|MISCONF|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|NOAUTH|WRONGPASS|NOPERM|WRONGTYPE|NOREPLICAS)\b/;

/**
 * The code of an error that the server replied with; undefined for any other error, such as a broken connection. Neither
 * library marks its replies in a way that survives bundling, but the server begins each with a word in capitals.
 */
export function replyCode(error: unknown): string | undefined {
  const message = error instanceof Error ? error.message : '';
  const first = /^[A-Z][A-Z0-9_]+(?=\s)/.exec(message)?.[0];
  // An error inside of a script may carry its code further on.
  return first === undefined ? undefined : (codes.exec(message)?.[0] ?? first);
}

/** Whether the server did nothing, and may do it if it is asked again. */
export function isPassing(error: unknown): boolean {
  return passing.has(replyCode(error) ?? '');
}

/** Whether the connection that brought `error` should be given up. */
export function endsConnection(error: unknown): boolean {
  if (error instanceof StoreError) return false;
  const code = replyCode(error);
  return code === undefined || elsewhere.has(code);
}

/** What an error means to the user of the store. */
export function storeErrorFrom(cause: unknown): unknown {
  if (cause instanceof StoreError) return cause;
  const said = cause instanceof Error ? cause.message : String(cause);
  switch (replyCode(cause)) {
    case undefined:
      return new StoreError(
        'unavailable',
        `The connection to Redis broke (${said}). A write may or may not have happened: read again.`,
        { cause },
      );
    case 'READONLY':
      return new StoreError(
        'read_only',
        'This Redis server is a replica; nothing was written. Connect the client to the master.',
        { cause },
      );
    case 'OOM':
      return new StoreError(
        'full',
        'Redis has no memory left (maxmemory); nothing was written. Give it more, or remove what is not needed.',
        { cause },
      );
    case 'MISCONF':
      return new StoreError(
        said.includes('No space left') ? 'full' : 'unavailable',
        `Redis cannot write to its disk; nothing was written. Check its disk and its log. It says: ${said}`,
        { cause },
      );
    case 'WRONGTYPE':
      return new StoreError(
        'corrupt',
        'A key of this store holds another type of value: something else writes under its prefix. Nothing was ' +
          'overwritten. Give the store a `prefix` of its own.',
        { cause },
      );
    case 'NOAUTH':
    case 'WRONGPASS':
    case 'NOPERM':
      return new StoreError(
        'unavailable',
        `Redis refuses this user; nothing was written. Check the client's password and the user's ACL. It says: ${said}`,
        { cause },
      );
    case 'NOREPLICAS':
      return new StoreError(
        'unavailable',
        'Redis has fewer replicas than it is configured to need (min-replicas-to-write); nothing was written.',
        { cause },
      );
    default:
      return new StoreError(
        'unavailable',
        isPassing(cause)
          ? `Redis was not ready in time; nothing was written. It says: ${said}`
          : `Redis answered with an error. A write may or may not have happened: read again. It says: ${said}`,
        { cause },
      );
  }
}

/** No connection could be opened in time. */
export function notReached(timeoutMs: number, cause: unknown): StoreError {
  const why = cause instanceof Error ? ` (${cause.message})` : '';
  return new StoreError(
    'unavailable',
    `Redis could not be reached within ${timeoutMs} ms${why}; nothing was written. Check that it runs and that the ` +
      'client has the right address.',
    { cause },
  );
}

/** The server was asked, and did not answer in time. */
export function noAnswer(timeoutMs: number): StoreError {
  return new StoreError(
    'unavailable',
    `Redis did not answer within ${timeoutMs} ms. A write may or may not have happened: read again.`,
  );
}
