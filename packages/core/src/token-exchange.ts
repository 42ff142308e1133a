import { AuthError } from './errors.ts';
import type { AccessTokenSlot, SlotSpec } from './grant-record.ts';
import type { ExchangeRequest, Issuer, TokenOutcome, TypedToken } from './issuer.ts';
import { accessTokenType } from './openid-issuer.ts';
import type { TokenSource } from './token-source.ts';

/** How the tokens of one delegation are asked for. */
export interface TokenExchangeParts {
  readonly issuer: Issuer;
  /** Where the subject token comes from: the grant. */
  readonly grant: TokenSource;
  readonly subjectSlot: SlotSpec;
  readonly target: ExchangeRequest['target'];
  /** Absent: the client that asks is the actor. */
  readonly actor: (() => Promise<TypedToken>) | undefined;
  /** The issuer's own parameters, as of now. */
  readonly parameters: () => Promise<Readonly<Record<string, string>>>;
}

/** How an issuer says that the subject token is not good (RFC 8693 section 2.2.2). Another one may be. */
const subjectRefusals: ReadonlySet<string> = new Set([
  'invalid_request',
  'invalid_grant',
  'invalid_token',
]);

/** Exchanges the token of a grant for those of one delegation (RFC 8693), each time with a subject token that is good. */
export class TokenExchange {
  readonly #parts: TokenExchangeParts;
  #prepared:
    | {
        readonly subject: AccessTokenSlot;
        readonly actor: TypedToken | undefined;
        readonly parameters: Readonly<Record<string, string>>;
      }
    | undefined;
  /** The subject token that was refused, and the one that came in its place. */
  #refused: number | undefined;
  #renewed: number | undefined;

  constructor(parts: TokenExchangeParts) {
    this.#parts = parts;
  }

  /**
   * Before anything is claimed: gets what the request needs.
   *
   * @throws {AuthError} when the grant has no token, or does not cover the scopes (any more).
   */
  async prepare(scopes: readonly string[]): Promise<void> {
    const { grant, subjectSlot, actor, parameters } = this.#parts;
    const rejectedGeneration = this.#refused;
    const request = rejectedGeneration === undefined ? {} : { rejectedGeneration };
    const subject = await grant.token(subjectSlot, request);
    if (rejectedGeneration !== undefined) this.#renewed = subject.generation;
    this.#refused = undefined;
    const granted = (await grant.record())?.scopes;
    const beyond = granted === undefined ? [] : scopes.filter((scope) => !granted.includes(scope));
    if (beyond.length > 0) throw new AuthError('insufficient_scope', { reason: beyond.join(' ') });
    this.#prepared = { subject, actor: await actor?.(), parameters: await parameters() };
  }

  /** The one request of a claim. */
  async request(scopes: readonly string[], beforeSend: () => void): Promise<TokenOutcome> {
    const { issuer, target } = this.#parts;
    const prepared = this.#prepared;
    this.#prepared = undefined;
    // A recovery did not prepare: whoever comes next does.
    if (prepared === undefined)
      return { outcome: 'notSent', kind: 'transient', error: 'no_subject_token', retryAfterMs: 0 };
    const { subject, actor, parameters } = prepared;
    const outcome = await issuer.exchange({
      subject: { token: subject.accessToken, type: accessTokenType },
      ...(actor === undefined ? {} : { actor }),
      scopes,
      target,
      parameters,
      // The issuer wants to see that who exchanges a bound token has its key; what comes is bound to the same.
      proofKey: subject.proofKey,
      beforeSend,
    });
    if (outcome.outcome === 'granted') return this.#unlessWider(outcome, scopes);
    if (outcome.outcome !== 'refused' || !subjectRefusals.has(outcome.error)) return outcome;
    if (subject.generation === this.#renewed) return outcome;
    this.#refused = subject.generation;
    const { error, cause } = outcome;
    return { outcome: 'notSent', kind: 'transient', error, cause, retryAfterMs: 0 };
  }

  /** A token that can do more than was asked for is not handed out. */
  async #unlessWider(
    outcome: TokenOutcome & { outcome: 'granted' },
    scopes: readonly string[],
  ): Promise<TokenOutcome> {
    const { tokens } = outcome;
    const isWider = tokens.scopes?.some((scope) => !scopes.includes(scope)) === true;
    return isWider
      ? { outcome: 'refused', kind: 'issuer_refused', error: 'scopes_widened', issued: true }
      : outcome;
  }
}
