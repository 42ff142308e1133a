/** A directory, a transmitter or a decision point could not be asked, or answered what makes no sense. */
export class SignalError extends Error {
  override readonly name = 'SignalError';
  /**
   * - `unreachable`: no connection, or no answer in time.
   * - `refused`: an answer whose status says no.
   * - `malformed`: an answer that is not what the protocol requires.
   */
  readonly code: 'unreachable' | 'refused' | 'malformed';
  /** HTTP status, where there was one. */
  readonly status: number | undefined;

  constructor(
    code: SignalError['code'],
    options: ErrorOptions & { readonly problem: string; readonly status?: number },
  ) {
    super(options.problem, options);
    this.code = code;
    this.status = options.status;
  }
}
