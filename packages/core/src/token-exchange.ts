import { AuthError } from './errors.ts';
import type { AccessTokenSlot, SlotSpec } from './grant-record.ts';
import type { ExchangeRequest, Issuer, TokenOutcome, TypedToken } from './issuer.ts';
import type { Secret } from './secret.ts';
import type { TokenSource } from './token-source.ts';
import { accessTokenType, identityAssertionType, idTokenType } from './token-types.ts';

/** How the tokens of one delegation are asked for. */
export interface TokenExchangeParts {
  /** Where the grant is. */
  readonly issuer: Issuer;
  /** Where the subject token comes from: the grant. */
  readonly grant: TokenSource;
  readonly subjectSlot: SlotSpec;
  readonly target: ExchangeRequest['target'];
  /** Another issuer, which gives the token for an assertion of the first one. Absent: the first gives it itself. */
  readonly redeemer: Issuer | undefined;
  /** Absent: the client that asks is the actor. */
  readonly actor: (() => Promise<TypedToken>) | undefined;
  /** The issuer's own parameters, as of now. */
  readonly parameters: () => Promise<Readonly<Record<string, string>>>;
}

/** What one request needs, fetched before its claim. */
interface Prepared {
  readonly grantToken: AccessTokenSlot;
  readonly subject: TypedToken;
  readonly actor: TypedToken | undefined;
  readonly parameters: Readonly<Record<string, string>>;
}

/** How an issuer says that the subject token is not good (RFC 8693 section 2.2.2). Another one may be. */
const subjectRefusals: ReadonlySet<string> = new Set([
  'invalid_request',
  'invalid_grant',
  'invalid_token',
]);

/**
 * Exchanges what a grant has for the tokens of one delegation: its access token for a narrower one (RFC 8693), or its
 * ID token for an assertion that another issuer takes for a grant (ID-JAG). Each time with a subject token that is good.
 */
export class TokenExchange {
  readonly #parts: TokenExchangeParts;
  #prepared: Prepared | undefined;
  /** Generation of the subject token that was refused, and of the one that came in its place. */
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
    const { redeemer, actor, parameters } = this.#parts;
    const grantToken = await this.#grantToken();
    if (redeemer === undefined) await this.#assertGranted(scopes);
    this.#prepared = {
      grantToken,
      subject:
        redeemer === undefined
          ? { token: grantToken.accessToken, type: accessTokenType }
          : { token: await this.#idToken(grantToken), type: idTokenType },
      actor: await actor?.(),
      parameters: await parameters(),
    };
  }

  /** The one request of a claim. */
  async request(
    scopes: readonly string[],
    claim: { readonly proofKey: Secret | undefined; readonly beforeSend: () => void },
  ): Promise<TokenOutcome> {
    const { beforeSend } = claim;
    const { issuer, target, redeemer } = this.#parts;
    const prepared = this.#prepared;
    this.#prepared = undefined;
    // A recovery did not prepare: whoever comes next does.
    if (prepared === undefined) return again('no_subject_token');
    const { grantToken, subject, actor, parameters } = prepared;
    const outcome = await issuer.exchange({
      subject,
      ...(actor === undefined ? {} : { actor }),
      ...(redeemer === undefined ? {} : { requestedType: identityAssertionType }),
      scopes,
      target,
      parameters,
      // The issuer wants to see that who exchanges a bound token has its key; what comes is bound to the same.
      proofKey: grantToken.proofKey,
      beforeSend,
    });
    if (outcome.outcome === 'granted') {
      if (redeemer === undefined) return unlessWider(outcome, scopes);
      const { accessToken: assertion } = outcome.tokens;
      const { proofKey = grantToken.proofKey } = claim;
      return unlessWider(
        await redeemer.redeemAssertion({ assertion, scopes, proofKey, beforeSend }),
        scopes,
      );
    }
    if (outcome.outcome !== 'refused' || !subjectRefusals.has(outcome.error)) return outcome;
    if (grantToken.generation === this.#renewed) return outcome;
    this.#refused = grantToken.generation;
    return again(outcome.error, outcome.cause);
  }

  /** The grant's own token, another one than was refused. */
  async #grantToken(): Promise<AccessTokenSlot> {
    const { grant, subjectSlot } = this.#parts;
    const rejectedGeneration = this.#refused;
    if (rejectedGeneration === undefined) return grant.token(subjectSlot);
    const token = await grant.token(subjectSlot, { rejectedGeneration });
    this.#renewed = token.generation;
    this.#refused = undefined;
    return token;
  }

  async #assertGranted(scopes: readonly string[]): Promise<void> {
    const granted = (await this.#parts.grant.storedRecord())?.scopes;
    const beyond = granted === undefined ? [] : scopes.filter((scope) => !granted.includes(scope));
    if (beyond.length > 0) throw new AuthError('insufficient_scope', { reason: beyond.join(' ') });
  }

  /** A grant that came without an ID token gets one with its next refresh, if it has the scope `openid`. */
  async #idToken({ generation }: AccessTokenSlot): Promise<Secret> {
    const { grant, subjectSlot } = this.#parts;
    const held = (await grant.storedRecord())?.idToken;
    if (held !== undefined) return held;
    await grant.token(subjectSlot, { rejectedGeneration: generation });
    const fresh = (await grant.storedRecord())?.idToken;
    if (fresh !== undefined) return fresh;
    throw new AuthError('misconfigured', {
      reason: 'no_id_token',
      detail:
        'expected an ID token from the identity provider: does the grant have the scope openid?',
    });
  }
}

/** Nothing was issued, and another subject token may do. */
function again(error: string, cause?: unknown): TokenOutcome {
  return { outcome: 'notSent', kind: 'transient', error, cause, retryAfterMs: 0 };
}

/** A token that can do more than was asked for is not handed out. */
function unlessWider(outcome: TokenOutcome, scopes: readonly string[]): TokenOutcome {
  if (outcome.outcome !== 'granted') return outcome;
  const isWider = outcome.tokens.scopes?.some((scope) => !scopes.includes(scope)) === true;
  return isWider
    ? { outcome: 'refused', kind: 'issuer_refused', error: 'scopes_widened', issued: true }
    : outcome;
}
