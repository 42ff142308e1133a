/** The user or service on whose behalf a task acts. */
export interface Principal {
  /** The authority that knows the subject: an issuer URL or a directory's name. */
  readonly issuer?: string | undefined;
  readonly subject: string;
  readonly tenant?: string | undefined;
}

/**
 * What a tool receives instead of a token.
 *
 * There is no token in it: not in a property, a getter, a symbol, `inspect`, JSON or a structured clone.
 */
export interface PrincipalHandle {
  readonly subject: string;
  readonly tenant: string | undefined;
  readonly taskId: string;
  /** Name of the resource that `fetch` reaches. */
  readonly resource: string;
  /** Stays the same when this very call is run again, so the resource can recognise a repetition. */
  readonly idempotencyKey: string;
  /**
   * `fetch` as the principal: relative URLs resolve against the resource's base URL, and the token goes to the
   * resource's declared origins only.
   *
   * @throws {AuthError} when there is no authority for the call (any more). The pause is recorded by then.
   * @throws {RequestRefusedError} when the request itself is not allowed: another origin, its own Authorization header.
   */
  readonly fetch: typeof globalThis.fetch;
}
