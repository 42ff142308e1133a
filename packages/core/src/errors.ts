/** Why a credentialed call has no authority. Closed: every code has one meaning and one party who can act on it. */
export type AuthErrorCode =
  /** The grant is gone: revoked, expired, or its rotated pair was lost. */
  | 'reauthorization_required'
  /** The principal is paused, revoked, must step up, or their state is not known. */
  | 'user_state'
  /** A kill switch stops the agent, the tenant or the provider. */
  | 'stopped_by_operator'
  /** The resource wants a stronger or fresher authentication (RFC 9470). */
  | 'step_up_required'
  /** The task was not given the scopes this call needs (RFC 6750 section 3.1). */
  | 'insufficient_scope'
  /** The resource refuses even a token that was just refreshed. */
  | 'rejected_after_refresh'
  /** Client registration, metadata or transport are wrong; the user cannot help. */
  | 'misconfigured'
  /** The issuer refuses the request itself. */
  | 'issuer_refused'
  /** The issuer could not be reached within the time a call may wait. */
  | 'issuer_unavailable'
  /** The outcome of a refresh is not known, and recovery has not finished within the time a call may wait. */
  | 'in_doubt'
  /** The store could not be reached. */
  | 'store_unavailable'
  /** What happens could not be recorded, and the app says that nothing may happen then. */
  | 'audit_unavailable'
  /** The task waits for a person. */
  | 'task_paused'
  /** The task is completed, cancelled, failed or expired. */
  | 'task_ended'
  /** The tool was called outside a task. */
  | 'no_task'
  /** A call that claims to continue a paused run, but that no pause of this task waits for. */
  | 'not_resumable'
  /** An earlier attempt of this call may have had its effect; only a person can say that it may run again. */
  | 'outcome_unknown'
  /** The caller stopped waiting. */
  | 'cancelled';

/** Who can do something about it: nobody needs to (it passes), the user, an approver, the operator, or nobody can. */
export type Recovery = 'wait' | 'user' | 'approver' | 'operator' | 'none';

const recoveryOf: Record<AuthErrorCode, Recovery> = {
  reauthorization_required: 'user',
  user_state: 'approver',
  stopped_by_operator: 'operator',
  step_up_required: 'user',
  insufficient_scope: 'user',
  rejected_after_refresh: 'operator',
  misconfigured: 'operator',
  issuer_refused: 'operator',
  issuer_unavailable: 'wait',
  in_doubt: 'wait',
  store_unavailable: 'wait',
  audit_unavailable: 'wait',
  task_paused: 'approver',
  task_ended: 'none',
  no_task: 'operator',
  not_resumable: 'none',
  outcome_unknown: 'approver',
  cancelled: 'none',
};

const safeText: Record<AuthErrorCode, string> = {
  reauthorization_required: 'The connected account must be authorized again.',
  user_state: 'The person this task acts for is not active.',
  stopped_by_operator: 'An operator has stopped this kind of action.',
  step_up_required: 'A stronger sign-in is required.',
  insufficient_scope: 'This task was not given permission for this action.',
  rejected_after_refresh: 'The service refused the authorization.',
  misconfigured: 'The connection is not configured correctly.',
  issuer_refused: 'The authorization service refused the request.',
  issuer_unavailable: 'The authorization service cannot be reached.',
  in_doubt: 'The state of the authorization is being recovered.',
  store_unavailable: 'The credential store cannot be reached.',
  audit_unavailable: 'What happens cannot be recorded at the moment.',
  task_paused: 'This task is paused and waits for a decision.',
  task_ended: 'This task has ended.',
  no_task: 'This tool can only be used inside a task.',
  not_resumable: 'This call cannot be resumed.',
  outcome_unknown: 'It is not known whether this action already happened.',
  cancelled: 'The call was cancelled.',
};

const brand = Symbol.for('outlive.AuthError');

/** What is known about an {@link AuthError} beyond its code. None of it reaches a model or a browser. */
export interface AuthErrorOptions extends ErrorOptions {
  /** Id of what was recorded about this error: a pause, or an audit entry. Opaque, safe to show. */
  readonly ref?: string | undefined;
  /** For the operator: what happened. Kept out of the message. */
  readonly detail?: string | undefined;
  /** Finer reason within the code, e.g. the OAuth error or the user's state. */
  readonly reason?: string | undefined;
  /** Earliest useful retry, ms from now. */
  readonly retryAfterMs?: number | undefined;
}

/**
 * A credentialed call was refused authority.
 *
 * The message is safe for a model and a browser: the code, an opaque reference and one plain sentence; never a
 * token, URL, scope or issuer text. What an operator needs is in `detail`, `reason` and `cause`, which are not
 * enumerable, so that logging the error does not spread them.
 */
export class AuthError extends Error {
  override readonly name = 'AuthError';
  readonly code: AuthErrorCode;
  readonly recovery: Recovery;
  readonly ref: string | undefined;
  /** Workflow engines that retry failed steps leave an error alone that says so. */
  readonly fatal = true;
  declare readonly detail: string | undefined;
  declare readonly reason: string | undefined;
  declare readonly retryAfterMs: number | undefined;
  /** @internal */
  readonly [brand] = true;

  constructor(code: AuthErrorCode, options: AuthErrorOptions = {}) {
    super(
      `[auth:${code}${options.ref === undefined ? '' : ` ref=${options.ref}`}] ${safeText[code]}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.recovery = recoveryOf[code];
    this.ref = options.ref;
    for (const field of ['detail', 'reason', 'retryAfterMs'] as const)
      Object.defineProperty(this, field, { value: options[field], enumerable: false });
    Object.defineProperty(this, brand, { value: true, enumerable: false });
  }

  /** What may be shown and sent: no detail, no cause, no stack. */
  toJSON(): {
    name: 'AuthError';
    code: AuthErrorCode;
    recovery: Recovery;
    ref?: string;
    message: string;
  } {
    return {
      name: this.name,
      code: this.code,
      recovery: this.recovery,
      ...(this.ref === undefined ? {} : { ref: this.ref }),
      message: this.message,
    };
  }

  /** Whether `value` is an AuthError, also one made by another copy of this package. */
  static is(value: unknown): value is AuthError {
    return typeof value === 'object' && value !== null && brand in value;
  }

  /** The AuthError in `error` or in its chain of causes; tools and SDKs like to wrap what they catch. */
  static find(error: unknown): AuthError | undefined {
    let current = error;
    for (let depth = 0; depth < 16 && current !== undefined && current !== null; depth += 1) {
      if (AuthError.is(current)) return current;
      current = typeof current === 'object' ? (current as { cause?: unknown }).cause : undefined;
    }
    return undefined;
  }
}

/** A request that the principal handle does not make, whoever asks: another origin, a caller-set Authorization header, plain HTTP. */
export class RequestRefusedError extends TypeError {
  override readonly name = 'RequestRefusedError';
  readonly code: 'origin' | 'scheme' | 'header' | 'redirect' | 'url' | 'path';

  constructor(code: RequestRefusedError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The configuration, or an argument, is wrong. The message names the path of the field, what was expected and what came. */
export class ConfigurationError extends TypeError {
  override readonly name = 'ConfigurationError';
  /** Dotted paths of the fields that are wrong, e.g. `providers.acme.issuer`. */
  readonly paths: readonly string[];

  constructor(message: string, paths: readonly string[] = [], options?: ErrorOptions) {
    super(message, options);
    this.paths = paths;
  }
}
