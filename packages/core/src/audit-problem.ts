/** Something that went wrong with the record itself. Nothing of it reaches the code that records. */
export interface AuditProblem {
  /**
   * - `unavailable`: the store has begun to refuse; events stay queued and are tried again.
   * - `dropped`: events were given up, since the queue is full, the audit is closed, or they cannot be stored.
   * - `damaged`: the stored stream is not what was written to it.
   * - `sink`: a sink did not take an entry.
   */
  readonly kind: 'unavailable' | 'dropped' | 'damaged' | 'sink';
  readonly stream: string;
  readonly message: string;
  readonly cause?: unknown;
}

/** Tells whoever watches the terminal, where the app listens to nothing. */
export function printProblem({ kind, stream, message, cause }: AuditProblem): void {
  console.error(
    `outlive audit: ${kind}: ${stream}: ${message}`,
    ...(cause === undefined ? [] : [cause]),
  );
}
