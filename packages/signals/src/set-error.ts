/** Why a security event token is refused (RFC 8935 section 2.4). */
export type SetErrorCode =
  | 'invalid_request'
  | 'invalid_key'
  | 'invalid_issuer'
  | 'invalid_audience'
  | 'authentication_failed'
  | 'access_denied';

/** A token that is refused for good: sending it again would not help. Its message goes to the transmitter. */
export class SetError extends Error {
  override readonly name = 'SetError';
  readonly code: SetErrorCode;

  constructor(code: SetErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
