import { StoreError } from '@outlive/core';

/** The SQLSTATE of an error that the server, or a pooler in its name, answered; undefined for any other error. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const { code } = error;
  // Errors of Node have codes too, such as EPIPE, which has the form of an SQLSTATE but for the severity beside it.
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in error
    ? code
    : undefined;
}

/**
 * Whether `error` leaves open what became of the statement. The server answers almost every other error only after the
 * statement's transaction was rolled back; but a backend that is told to end (57P01, 57P02) may say so after the commit.
 */
export function isOutcomeUnknown(error: unknown): boolean {
  const state = sqlState(error);
  return state === undefined || state === '40003' || /^(08|57P|58|XX)/.test(state);
}

/** Whether the server rolled back what it would do if it was asked again: a deadlock, a failed serialization. */
export function isConflict(error: unknown): boolean {
  const state = sqlState(error);
  return state === '40001' || state === '40P01';
}

/** Whether the client that brought `error` should not be used again. */
export function endsConnection(error: unknown): boolean {
  // 25006: another connection may reach the primary.
  return isOutcomeUnknown(error) || sqlState(error) === '25006';
}

/** Whether a connection that could not be had may be had soon: nothing was sent, so trying again is safe. */
export function isPassing(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined) return /^(08|57P|53)/.test(state);
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string')
    return /^E(CONN|TIMEDOUT|PIPE|AI_AGAIN|NOTFOUND|HOSTUNREACH|NETUNREACH|NETDOWN)/.test(
      error.code,
    );
  // What pg says of a connection that ended before it was ready, and of its own timeouts.
  return /^Connection terminated|^timeout /.test(error.message);
}

/** What the error of a statement means to the user of the store. */
export function storeErrorFrom(cause: unknown): unknown {
  if (cause instanceof StoreError || cause instanceof TypeError) return cause;
  const said = cause instanceof Error ? cause.message : String(cause);
  const state = sqlState(cause);
  const storeError = (code: StoreError['code'], message: string): StoreError =>
    new StoreError(code, message, { cause });
  if (state === undefined)
    return storeError(
      'unavailable',
      `The connection to Postgres broke (${said}). A write may or may not have happened: read again.`,
    );
  if (isOutcomeUnknown(cause))
    return storeError(
      'unavailable',
      `Postgres ended the connection (${state}: ${said}). A write may or may not have happened: read again.`,
    );
  const otherError = storeError(
    'unavailable',
    `Postgres answered with an error (${state}: ${said}); nothing was written.`,
  );
  switch (state) {
    case '25006':
      return readOnlyError(cause);
    case '53100':
      return storeError(
        'full',
        'The disk of Postgres is full; nothing was written. Free space, then try again.',
      );
    case '55P03':
    case '57014':
      return storeError(
        'unavailable',
        `Postgres gave up waiting for a lock or was told to stop (${state}: ${said}); nothing was written. Look for a ` +
          'transaction that is left open on the tables of the store.',
      );
    case '42501':
      return storeError(
        'unavailable',
        `Postgres denies this user a right (${said}); nothing was written. Grant it, or run the store once as a user ` +
          'who may create its tables.',
      );
    case '3F000':
    case '42703':
    case '42P01':
    case '42P07':
    case '42804':
    case '42883':
      return storeError(
        'corrupt',
        `The tables in the schema of the store are not those it made (${said}). Nothing was overwritten. Give the store a ` +
          '`schema` of its own, or restore the tables from a backup.',
      );
    case '54000':
      // Only an index names its table; what else exceeds a limit is not the caller's doing.
      if (cause instanceof Error && 'table' in cause && cause.table !== undefined)
        return new RangeError(
          'The key, the name of the stream or an index value is longer than Postgres can index (about 2700 bytes); ' +
            'nothing was written.',
          { cause },
        );
      return otherError;
    default:
      return otherError;
  }
}

/** Why no connection could be had. */
export function connectionError(cause: unknown, totalMs: number): unknown {
  if (cause instanceof StoreError) return cause;
  const said = cause instanceof Error ? cause.message : String(cause);
  return new StoreError(
    'unavailable',
    isPassing(cause)
      ? `Postgres could not be reached within ${totalMs} ms (${said}); nothing was written. Check that it runs and that ` +
          'the pool has the right address.'
      : `The pool gave no connection to Postgres (${said}); nothing was written. Check its settings.`,
    { cause },
  );
}

/** The pool gave no connection in time. */
export function noConnection(totalMs: number, cause?: unknown): StoreError {
  const why = cause instanceof Error ? ` (${cause.message})` : '';
  return new StoreError(
    'unavailable',
    `The pool gave no connection to Postgres within ${totalMs} ms${why}; nothing was written. Check that Postgres ` +
      'runs, and that the pool is large enough and others give back what they borrow.',
    { cause },
  );
}

/** The server was asked, and did not answer in time. */
export function noAnswer(totalMs: number): StoreError {
  return new StoreError(
    'unavailable',
    `Postgres did not answer within ${totalMs} ms. A write may have happened, or may happen yet: read again.`,
  );
}

/** The server is a standby, or was set to refuse writes. */
export function readOnlyError(cause?: unknown): StoreError {
  return new StoreError(
    'read_only',
    'This Postgres server is a standby or refuses writes; nothing was written, and nothing is read from it, since it may ' +
      'lag behind. Connect the pool to the primary (default_transaction_read_only off).',
    { cause },
  );
}
