/** A security event whose token was verified: who says it, about whom, and what. */
export interface SecurityEvent {
  /** The `jti` of its token. */
  readonly id: string;
  /** Who signed it. */
  readonly issuer: string;
  /** Its type, a URI; see {@link eventTypes}. */
  readonly type: string;
  /** Whom it is about, as it came: an RFC 9493 subject identifier, or a complex one (SSF 1.0 section 3.2). */
  readonly subject: Readonly<Record<string, unknown>>;
  /** What it says. */
  readonly payload: Readonly<Record<string, unknown>>;
  /** Epoch ms at which it happened: its `event_timestamp`, else when the token was issued. */
  readonly occurredAt: number;
  /** Groups the events of one cause (RFC 8417 section 2.2). */
  readonly transaction?: string;
}
