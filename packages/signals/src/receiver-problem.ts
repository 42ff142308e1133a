/** Something a receiver could not do, or would not. Nothing of it is acknowledged to the sender as done. */
export interface ReceiverProblem {
  /**
   * - `unavailable`: the store, the sender's keys, the app's own rule, or the transmitter that is polled, failed. What
   *   was sent has had no effect; the sender sends it again, or it is fetched again.
   * - `refused`: a token of the known sender is refused for good, so what it says never takes effect. `cause` is the
   *   `SetError` that the sender was told.
   */
  readonly kind: 'unavailable' | 'refused';
  /** The issuer whose tokens are received. */
  readonly source: string;
  readonly message: string;
  readonly cause?: unknown;
}

/** Makes what tells the app, and never throws: a sender must not get another answer because a listener fails. */
export function problemReporter({
  issuer: source,
  onProblem = printProblem,
}: {
  readonly issuer: string;
  readonly onProblem?: (problem: ReceiverProblem) => void;
}): (problem: Omit<ReceiverProblem, 'source'>) => void {
  return (told) => {
    const problem = { source, ...told };
    try {
      onProblem(problem);
    } catch (cause) {
      // The problem still reaches somebody.
      printProblem({ ...problem, cause: new AggregateError([problem.cause, cause]) });
    }
  };
}

function printProblem({ kind, source, message, cause }: ReceiverProblem): void {
  // Of a refusal the message says it all.
  const details = kind === 'refused' || cause === undefined ? [] : [cause];
  console.error(`outlive signals: ${kind}: ${source}: ${message}`, ...details);
}
