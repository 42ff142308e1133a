import { bindConnection, isSamePrincipal } from './connection-binding.ts';
import {
  backchannelSchema,
  type ConnectionOptions,
  type DeviceConnection,
  deviceSchema,
  type FinishConnection,
  finishSchema,
  type StartBackchannelConnection,
  type StartConnection,
  type StartDeviceConnection,
  type StartedConnection,
  startSchema,
} from './connection-options.ts';
import {
  type CodeConnection,
  type ConnectionRecord,
  type ConnectionResult,
  connectionKey,
  refuseConnection,
} from './connection-record.ts';
import type { DecoupledRequest } from './decoupled-authorization.ts';
import {
  type PendingConnection,
  pollConnection,
  startDecoupledConnection,
} from './decoupled-connection.ts';
import { AuthError, ConfigurationError } from './errors.ts';
import { finishConnection } from './finish-connection.ts';
import type { GrantRecord } from './grant-record.ts';
import type { PauseContext } from './pauses.ts';
import { drawProofKey } from './proof-key.ts';
import { randomId } from './random-id.ts';
import type { Provider } from './runtime.ts';
import { Secret } from './secret.ts';
import { checked } from './validation.ts';

const connectionLifetimeMs = 600_000;
/** What is wrong with a callback that another issuer, or somebody in between, has made. Nobody has said no. */
const misdirected: ReadonlySet<string> = new Set([
  'duplicate_parameter',
  'state_mismatch',
  'issuer_missing',
  'issuer_mismatch',
  'nonce_mismatch',
]);
/**
 * Getting a grant from a person: authorization code with PKCE (RFC 7636), as two functions that fit any web
 * framework: `start` gives the URL to send the browser to, `callback` takes the URL it came back to. Or, for who is
 * not at the app's browser, the device flow (RFC 8628) and OpenID CIBA.
 *
 * A connection takes the person's word for the pauses that waited for it: those it decides can be resumed.
 */
export class Connect {
  readonly #context: PauseContext;

  constructor(context: PauseContext) {
    this.#context = context;
  }

  /**
   * Starts a connection in a browser.
   *
   * @throws {ConfigurationError} when an option is wrong, the pause is not one of this principal's, or the provider has
   *   no `redirectUri`.
   */
  async start(options: StartConnection): Promise<{ readonly url: URL }> {
    checked(startSchema, options, 'connect.start');
    const { runtime } = this.#context;
    const { records, clock } = runtime;
    const provider = this.#provider(options.provider);
    const { redirectUri } = provider;
    if (redirectUri === undefined)
      throw new ConfigurationError(
        `providers.${provider.name}.redirectUri: expected the URL of your callback; got nothing`,
        [`providers.${provider.name}.redirectUri`],
      );
    const about = await bindConnection(this.#context, 'connect.start', provider, options);
    const state = randomId();
    const nonce = options.scopes.includes('openid') ? randomId() : undefined;
    const codeVerifier = new Secret(`${randomId()}${randomId()}`);
    const proofKey = provider.bindsTokens ? await drawProofKey() : undefined;
    const record: CodeConnection = {
      ...about,
      flow: 'code',
      redirectUri,
      codeVerifier,
      proofKey,
      nonce,
      session: await this.#sessionHash(options.session),
      expiresAt: clock.now() + connectionLifetimeMs,
    };
    const index = { kind: 'connection', dueAt: record.expiresAt } as const;
    await records.swap(await connectionKey(runtime, state), 0, record, index);
    const { scopes, loginHint, parameters } = options;
    const { indicators } = about;
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
    const { runtime } = this.#context;
    const { records, clock } = runtime;
    const url = new URL(options.url);
    const state = url.searchParams.get('state') ?? '';
    const key = await connectionKey(runtime, state);
    const found = await records.get<ConnectionRecord>(key);
    if (found === undefined || found.value.flow !== 'code')
      return refused('its state is unknown, or was used already');
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
    if (
      options.principal !== undefined &&
      !(await isSamePrincipal(runtime, options.principal, connection.reference.principal))
    )
      return this.#refuse(connection, 'another person is signed in than it was started for');

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
        return finishConnection(this.#context, connection, outcome.tokens, issuedAt);
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

  /**
   * Starts a connection by device (RFC 8628): the person opens a page anywhere and enters a code. `maintain()` asks the
   * issuer until they have, or `poll` does.
   *
   * @throws {ConfigurationError} when an option is wrong, or it is not known which account must come back.
   * @throws {AuthError} when the issuer cannot be reached, or has no device flow.
   */
  async device(options: StartDeviceConnection): Promise<DeviceConnection> {
    checked(deviceSchema, options, 'connect.device');
    const { connection, started } = await this.#startElsewhere('connect.device', options, {
      flow: 'device',
    });
    const { userCode = '', url = '', completeUrl } = started.page ?? {};
    return {
      ...connection,
      userCode,
      verificationUrl: url,
      ...(completeUrl === undefined ? {} : { verificationUrlComplete: completeUrl }),
    };
  }

  /**
   * Asks a person on their phone (OpenID CIBA Core 1.0). `maintain()` asks the issuer until they have answered, or
   * `poll` does.
   *
   * @throws {ConfigurationError} when an option is wrong, or it is not known which account must come back.
   * @throws {AuthError} when the issuer cannot be reached, does not know the person, or has no CIBA.
   */
  async backchannel(options: StartBackchannelConnection): Promise<StartedConnection> {
    checked(backchannelSchema, options, 'connect.backchannel');
    const { loginHint, pauseId } = options;
    const bindingMessage = options.bindingMessage ?? pauseId?.slice(0, 8);
    const { connection } = await this.#startElsewhere('connect.backchannel', options, {
      flow: 'backchannel',
      loginHint,
      ...(bindingMessage === undefined ? {} : { bindingMessage }),
    });
    return connection;
  }

  /**
   * How a connection by device or backchannel stands; asks the issuer when it is time to. The result stays until
   * `expiresAt`.
   *
   * @throws {ConfigurationError} when there is no such connection (any more).
   * @throws {AuthError} when the client registration is wrong.
   */
  poll(connectionId: string): Promise<ConnectionResult | PendingConnection> {
    return pollConnection(this.#context, connectionId);
  }

  async #startElsewhere(
    what: string,
    options: ConnectionOptions,
    how: Pick<DecoupledRequest, 'flow' | 'loginHint' | 'bindingMessage'>,
  ) {
    const { runtime } = this.#context;
    const provider = this.#provider(options.provider);
    const about = await bindConnection(this.#context, what, provider, options);
    const known = await runtime.records.get<GrantRecord>(await runtime.grants.key(options));
    // No browser session ties the answer to this person: only the account can.
    if ((options.issuerSubject ?? known?.value.issuerSubject) === undefined)
      throw new ConfigurationError(
        `${what}: issuerSubject: expected the account that must come back, since none was connected before; got nothing`,
        ['issuerSubject'],
      );
    if (!options.scopes.includes('openid'))
      throw new ConfigurationError(
        `${what}: scopes: expected "openid" among them: only an ID token tells which account came back`,
        ['scopes'],
      );
    const { scopes, indicators: resources } = about;
    const request = { ...how, scopes, ...(resources.length === 0 ? {} : { resources }) };
    const { connectionId, started } = await startDecoupledConnection(
      runtime,
      provider,
      request,
      about,
    );
    const expiresAt = runtime.clock.now() + started.expiresInMs;
    return { connection: { connectionId, expiresAt, pollEveryMs: started.intervalMs }, started };
  }

  #refuse(connection: ConnectionRecord, because: string): Promise<ConnectionResult> {
    return refuseConnection(this.#context.runtime, connection, because);
  }

  #sessionHash(session: string): Promise<string> {
    return this.#context.runtime.keyedHash.hash('match', `session ${session}`);
  }

  #provider(name: string): Provider {
    const { providers } = this.#context.runtime;
    const provider = providers.get(name);
    if (provider !== undefined) return provider;
    throw new ConfigurationError(
      `connect: provider: expected one of ${[...providers.keys()].join(', ')}; got "${name}"`,
      ['provider'],
    );
  }
}

function refused(because: string): ConnectionResult {
  return { status: 'refused', because };
}
