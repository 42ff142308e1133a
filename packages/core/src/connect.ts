import * as z from 'zod';
import { grantStream } from './audit.ts';
import { AuthError, ConfigurationError } from './errors.ts';
import type { GrantReference, ImportGrant } from './grant-import.ts';
import { expectedTokenType, type GrantRecord } from './grant-record.ts';
import type { GrantSummary } from './grants.ts';
import type { TokenSet } from './issuer.ts';
import { drawProofKey } from './proof-key.ts';
import { randomId } from './random-id.ts';
import { recordKey } from './record-key.ts';
import { type Provider, type Runtime, stamped } from './runtime.ts';
import { Secret } from './secret.ts';
import { checked, principalSchema } from './validation.ts';

/** What `connect.start` takes. */
export interface StartConnection extends GrantReference {
  /** Scopes to ask for; the provider's own, like `openid` or `offline_access`, included. */
  readonly scopes: readonly string[];
  /** Names of resources to ask for, where the provider takes resource indicators (RFC 8707). */
  readonly resources?: readonly string[];
  /**
   * The app's signed-in browser session, as the app names it: the callback must come back in the same one, or a
   * forwarded link would lend somebody else's authority.
   */
  readonly session: string;
  readonly loginHint?: string;
  /** Further parameters of the authorization request, e.g. `prompt`. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** What `connect.callback` takes. */
export interface FinishConnection {
  /** The whole URL that the browser came back to. */
  readonly url: string | URL;
  /** The session that the browser is signed in to now. */
  readonly session: string;
}

/** What became of a callback. */
export type ConnectionResult =
  | { readonly status: 'connected'; readonly grant: GrantSummary }
  /** The person or the issuer said no. */
  | { readonly status: 'denied'; readonly error: string }
  /** The callback does not belong here: unknown or used state, another session, another account. Nothing was stored. */
  | { readonly status: 'refused'; readonly because: string };

interface ConnectionRecord {
  readonly reference: GrantReference;
  readonly redirectUri: string;
  readonly codeVerifier: Secret;
  /** The key that the code and the tokens are bound to. */
  readonly proofKey: Secret | undefined;
  readonly nonce: string | undefined;
  readonly session: string;
  readonly indicators: readonly string[];
  readonly expiresAt: number;
}

const connectionLifetimeMs = 600_000;
/** What is wrong with a callback that another issuer, or somebody in between, has made. Nobody has said no. */
const misdirected: ReadonlySet<string> = new Set([
  'duplicate_parameter',
  'state_mismatch',
  'issuer_missing',
  'issuer_mismatch',
  'nonce_mismatch',
]);
const text = z.string().min(1);
const startSchema = z.strictObject({
  provider: text,
  principal: principalSchema,
  account: text.optional(),
  scopes: z.array(text).min(1, 'expected at least one scope'),
  resources: z.array(text).optional(),
  session: text,
  loginHint: text.optional(),
  parameters: z.record(z.string(), z.string()).optional(),
});
const finishSchema = z.strictObject({ url: z.union([z.url(), z.instanceof(URL)]), session: text });

/**
 * Getting a grant from a person: authorization code with PKCE (RFC 7636), as two functions that fit any web
 * framework. `start` gives the URL to send the browser to, `callback` takes the URL it came back to.
 */
export class Connect {
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /**
   * Starts a connection.
   *
   * @throws {ConfigurationError} when an option is wrong or the provider has no `redirectUri`.
   */
  async start(options: StartConnection): Promise<{ readonly url: URL }> {
    checked(startSchema, options, 'connect.start');
    const { records, clock } = this.#runtime;
    const provider = this.#provider(options.provider);
    const { redirectUri } = provider;
    if (redirectUri === undefined)
      throw new ConfigurationError(
        `providers.${provider.name}.redirectUri: expected the URL of your callback; got nothing`,
        [`providers.${provider.name}.redirectUri`],
      );
    const state = randomId();
    const nonce = options.scopes.includes('openid') ? randomId() : undefined;
    const codeVerifier = new Secret(`${randomId()}${randomId()}`);
    const proofKey = provider.bindsTokens ? await drawProofKey() : undefined;
    const indicators = (options.resources ?? []).map((name) => this.#indicator(provider, name));
    const { principal, account } = options;
    const record: ConnectionRecord = {
      reference: {
        provider: provider.name,
        principal,
        ...(account === undefined ? {} : { account }),
      },
      redirectUri,
      codeVerifier,
      proofKey,
      nonce,
      session: await this.#sessionHash(options.session),
      indicators,
      expiresAt: clock.now() + connectionLifetimeMs,
    };
    const index = { kind: 'connection', dueAt: record.expiresAt } as const;
    await records.swap(await this.#key(state), 0, record, index);
    const { scopes, loginHint, parameters } = options;
    const url = await provider.issuer.authorizationUrl({
      redirectUri,
      scopes,
      state,
      codeVerifier,
      proofKey,
      ...(indicators.length === 0 ? {} : { resources: indicators }),
      ...(nonce === undefined ? {} : { nonce }),
      ...(loginHint === undefined ? {} : { loginHint }),
      ...(parameters === undefined ? {} : { parameters }),
    });
    return { url };
  }

  /**
   * Finishes a connection: `state` once, in the session that started it; `iss` (RFC 9207) before the code is sent;
   * the same account as before where the grant is a renewal.
   *
   * @throws {AuthError} when the issuer or the store cannot be reached; start again then, a code is used once.
   */
  async callback(options: FinishConnection): Promise<ConnectionResult> {
    checked(finishSchema, options, 'connect.callback');
    const { records, clock } = this.#runtime;
    const url = new URL(options.url);
    const state = url.searchParams.get('state') ?? '';
    const key = await this.#key(state);
    const found = await records.get<ConnectionRecord>(key);
    if (found === undefined) return refused('its state is unknown, or was used already');
    const { value: connection } = found;
    // Used up before anything else happens: of two callbacks with one state, one goes on.
    if (!(await records.swap(key, found.version, null, { kind: 'connection' })))
      return refused('its state was used already');
    if (connection.expiresAt <= clock.now()) return refused('it came too late; start again');
    // A host may differ behind a proxy; the path tells the callbacks of several issuers apart (RFC 9700 section 4.4).
    if (url.pathname !== new URL(connection.redirectUri).pathname)
      return this.#refuse(connection, 'it came back to another callback than it was sent to');
    if ((await this.#sessionHash(options.session)) !== connection.session)
      return this.#refuse(connection, 'it came back in another session than it was started in');

    const provider = this.#provider(connection.reference.provider);
    const issuedAt = Math.floor(clock.now());
    const outcome = await provider.issuer.exchangeCode({
      callbackUrl: url,
      redirectUri: connection.redirectUri,
      state,
      codeVerifier: connection.codeVerifier,
      proofKey: connection.proofKey,
      ...(connection.nonce === undefined ? {} : { nonce: connection.nonce }),
    });
    switch (outcome.outcome) {
      case 'granted':
        return this.#store(connection, outcome.tokens, issuedAt);
      case 'rejected':
        if (misdirected.has(outcome.error))
          return this.#refuse(
            connection,
            `it is not the answer to what was asked: ${outcome.error}`,
          );
        return { status: 'denied', error: outcome.error };
      default:
        throw new AuthError(
          outcome.kind === 'misconfigured' ? 'misconfigured' : 'issuer_unavailable',
          {
            reason: outcome.error,
            cause: outcome.cause,
          },
        );
    }
  }

  async #store(
    connection: ConnectionRecord,
    tokens: TokenSet,
    issuedAt: number,
  ): Promise<ConnectionResult> {
    const { grants, records } = this.#runtime;
    const { reference, proofKey } = connection;
    const expected = expectedTokenType(proofKey);
    if (tokens.tokenType !== expected)
      throw new AuthError('misconfigured', {
        reason: 'token_type',
        detail: `expected "${expected}"; the issuer sent "${tokens.tokenType}"`,
      });
    const before = await records.get<GrantRecord>(await grants.key(reference));
    const known = before?.value.issuerSubject;
    if (known !== undefined && tokens.subject !== known)
      return this.#refuse(connection, 'it is another account than the one that was connected');
    const granted: ImportGrant = {
      ...reference,
      tokens: {
        access_token: tokens.accessToken.reveal(),
        token_type: tokens.tokenType,
        ...(tokens.refreshToken === undefined
          ? {}
          : { refresh_token: tokens.refreshToken.reveal() }),
        ...(tokens.expiresInMs === undefined ? {} : { expires_in: tokens.expiresInMs / 1000 }),
        ...(tokens.scopes === undefined ? {} : { scope: tokens.scopes.join(' ') }),
      },
      ...(connection.indicators.length === 0 ? {} : { resources: connection.indicators }),
      ...(tokens.subject === undefined ? {} : { issuerSubject: tokens.subject }),
      ...(proofKey === undefined ? {} : { proofKey: JSON.parse(proofKey.reveal()) }),
      issuedAt,
      replace: true,
    };
    const grant = await grants.take(granted, 'grant-connected');
    return { status: 'connected', grant };
  }

  async #refuse(connection: ConnectionRecord, because: string): Promise<ConnectionResult> {
    const { grants, audit } = this.#runtime;
    const name = await grants.auditName(await grants.key(connection.reference));
    audit.record(
      grantStream(name),
      stamped(this.#runtime, {
        type: 'decision-refused',
        grant: name,
        provider: connection.reference.provider,
        reason: `connection refused: ${because}`,
      }),
    );
    return refused(because);
  }

  #key(state: string): Promise<string> {
    return this.#runtime.keyedHash
      .hash('match', `connection ${state}`)
      .then((hash) => recordKey('connection', undefined, hash));
  }

  #sessionHash(session: string): Promise<string> {
    return this.#runtime.keyedHash.hash('match', `session ${session}`);
  }

  #indicator(provider: Provider, name: string): string {
    const resource = this.#runtime.resources.get(name);
    if (resource?.indicator !== undefined && resource.provider === provider.name)
      return resource.indicator;
    throw new ConfigurationError(
      `connect.start: resources: expected names of resources of ${provider.name} with an indicator; got "${name}"`,
      ['resources'],
    );
  }

  #provider(name: string): Provider {
    const provider = this.#runtime.providers.get(name);
    if (provider !== undefined) return provider;
    throw new ConfigurationError(
      `connect: provider: expected one of ${[...this.#runtime.providers.keys()].join(', ')}; got "${name}"`,
      ['provider'],
    );
  }
}

function refused(because: string): ConnectionResult {
  return { status: 'refused', because };
}
