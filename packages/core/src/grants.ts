import * as z from 'zod';
import { grantStream } from './audit.ts';
import { AuthError, ConfigurationError } from './errors.ts';
import { accessTokenSlot, type GrantRecord } from './grant-record.ts';
import type { Principal } from './principal.ts';
import { principalId } from './principal-id.ts';
import { recordKey } from './record-key.ts';
import type { RotationContext } from './rotation-context.ts';
import { type Provider, type Runtime, stamped } from './runtime.ts';
import { Secret } from './secret.ts';
import { TokenSource } from './token-source.ts';
import { checked, principalSchema } from './validation.ts';

/** Which grant is meant: a principal's authority at a provider, and which of several accounts there. */
export interface GrantReference {
  readonly provider: string;
  readonly principal: Principal;
  /** Tells several accounts of one principal at one provider apart. Default `default`. */
  readonly account?: string;
}

/** A grant without its secrets. */
export interface GrantSummary extends GrantReference {
  readonly status: GrantRecord['state']['status'];
  readonly generation: number;
  readonly scopes?: readonly string[];
  /** Why it is dead. */
  readonly death?: string;
}

/** A token response (RFC 6749 section 5.1) that the app already holds. */
export interface ImportedTokens {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly token_type?: string;
  /** Seconds. */
  readonly expires_in?: number;
  readonly scope?: string;
}

/** What `grants.import` takes. */
export interface ImportGrant extends GrantReference {
  readonly tokens: ImportedTokens;
  /** The resource that the access token is for, by name. */
  readonly resource?: string;
  /** Resource indicators the grant covers; a request for another one is refused before it is sent. */
  readonly resources?: readonly string[];
  /** Epoch ms at which `expires_in` began to count. Default: now. */
  readonly issuedAt?: number;
  /** Replaces a grant that is still alive. */
  readonly replace?: boolean;
  /** @internal Subject at the issuer, from a verified ID token. */
  readonly issuerSubject?: string;
}

const text = z.string().min(1);
const importSchema = z.strictObject({
  provider: text,
  principal: principalSchema,
  account: text.optional(),
  tokens: z.looseObject({
    access_token: text,
    refresh_token: text.optional(),
    token_type: z
      .string()
      .regex(/^bearer$/i, 'expected "bearer": other token types are bound to a key')
      .optional(),
    expires_in: z.number().positive().optional(),
    scope: z.string().optional(),
  }),
  resource: text.optional(),
  resources: z.array(z.url()).optional(),
  issuedAt: z.number().int().positive().optional(),
  replace: z.boolean().optional(),
  issuerSubject: text.optional(),
});

/** The grants of the app: how they come in, and the one source of tokens that each of them has in this process. */
export class Grants {
  readonly #runtime: () => Runtime;
  readonly #rotation: (
    provider: Provider,
  ) => Omit<RotationContext, 'key' | 'gate' | 'audit' | 'index'>;
  readonly #sources = new Map<string, TokenSource>();

  constructor(
    runtime: () => Runtime,
    rotation: (provider: Provider) => Omit<RotationContext, 'key' | 'gate' | 'audit' | 'index'>,
  ) {
    this.#runtime = runtime;
    this.#rotation = rotation;
  }

  /**
   * Takes over a grant that the app already holds. From here on the runtime rotates it: nothing else may present
   * its refresh token.
   *
   * @throws {ConfigurationError} when a field is wrong, or a living grant would be replaced without `replace`.
   */
  async import(options: ImportGrant): Promise<GrantSummary> {
    checked(importSchema, options, 'grants.import');
    const runtime = this.#runtime();
    const provider = this.#provider(options.provider, 'grants.import: provider');
    const key = await this.key(options);
    const { tokens } = options;
    const now = runtime.clock.now();
    const scopes = tokens.scope?.split(' ').filter(Boolean);
    const slotKey = this.#sharedSlotKey(provider, options.resource);
    for (;;) {
      const before = await runtime.records.get<GrantRecord>(key);
      const alive = before !== undefined && before.value.state.status !== 'dead';
      if (alive && options.replace !== true)
        throw new ConfigurationError(
          'grants.import: replace: expected true, since this principal has a living grant here',
          ['replace'],
        );
      const generation = (before?.value.generation ?? -1) + 1;
      const issuerSubject = options.issuerSubject ?? before?.value.issuerSubject;
      const record: GrantRecord = {
        kind: 'rotating',
        provider: provider.name,
        principal: options.principal,
        account: options.account ?? 'default',
        ...(scopes === undefined ? {} : { scopes }),
        ...(options.resources === undefined ? {} : { resources: options.resources }),
        ...(issuerSubject === undefined ? {} : { issuerSubject }),
        ...(tokens.refresh_token === undefined
          ? {}
          : { refreshToken: new Secret(tokens.refresh_token) }),
        generation,
        slots: {
          [slotKey]: accessTokenSlot(
            {
              accessToken: new Secret(tokens.access_token),
              tokenType: 'bearer',
              ...(tokens.expires_in === undefined ? {} : { expiresInMs: tokens.expires_in * 1000 }),
              ...(scopes === undefined ? {} : { scopes }),
            },
            generation,
            undefined,
            {
              now,
              issuedAt: options.issuedAt ?? now,
              defaultLifetimeMs: this.#rotation(provider).times.defaultLifetimeMs,
              jitter: runtime.random(),
            },
          ),
        },
        grantedAt: now,
        state: { status: 'idle' },
      };
      const version = before?.version ?? (await runtime.records.version(key));
      if (await this.#store(key, version, record)) {
        await this.#audit(key, record, 'grant-imported');
        return summary(record);
      }
    }
  }

  /** Registers a service principal (RFC 6749 section 4.4): no refresh token, same gate and audit. */
  async addServicePrincipal(options: {
    readonly provider: string;
    readonly principal: Principal;
    readonly scopes?: readonly string[];
  }): Promise<GrantSummary> {
    const provider = this.#provider(options.provider, 'grants.addServicePrincipal: provider');
    const key = await this.key(options);
    const runtime = this.#runtime();
    const before = await runtime.records.get<GrantRecord>(key);
    if (before !== undefined) return summary(before.value);
    const record: GrantRecord = {
      kind: 'clientCredentials',
      provider: provider.name,
      principal: options.principal,
      account: 'default',
      ...(options.scopes === undefined ? {} : { scopes: options.scopes }),
      generation: 0,
      slots: {},
      grantedAt: runtime.clock.now(),
      state: { status: 'idle' },
    };
    const version = await runtime.records.version(key);
    if (!(await this.#store(key, version, record))) return this.addServicePrincipal(options);
    await this.#audit(key, record, 'grant-imported');
    return summary(record);
  }

  /** The grant as stored, without its secrets. */
  async find(reference: GrantReference): Promise<GrantSummary | undefined> {
    const found = await this.#runtime().records.get<GrantRecord>(await this.key(reference));
    return found === undefined ? undefined : summary(found.value);
  }

  /** @internal The canonical key of a grant's record. */
  async key(reference: GrantReference): Promise<string> {
    const { principal, provider, account } = reference;
    const subject = await principalId(this.#runtime().keyedHash, principal);
    return recordKey('grant', principal.tenant, provider, subject, account ?? 'default');
  }

  /** @internal What names a grant in the audit log. */
  auditName(key: string): Promise<string> {
    return this.#runtime().keyedHash.hash('grant', key);
  }

  /** @internal The one source of tokens of a grant in this process. @throws {AuthError} when there is no such grant. */
  async source(reference: GrantReference): Promise<{ key: string; source: TokenSource }> {
    const runtime = this.#runtime();
    const key = await this.key(reference);
    const known = this.#sources.get(key);
    if (known !== undefined) return { key, source: known };
    const provider = this.#provider(reference.provider, 'provider');
    const { principal } = reference;
    const subject = await principalId(runtime.keyedHash, principal);
    const name = await this.auditName(key);
    const source = new TokenSource({
      ...this.#rotation(provider),
      key,
      index: (record) => grantIndex(record, subject),
      gate: (moment) => runtime.userStates.check(principal, subject, moment),
      audit: (event) =>
        runtime.audit.record(
          grantStream(name),
          stamped(runtime, { ...event, grant: name, provider: provider.name }),
        ),
    });
    if ((await source.record()) === undefined)
      throw new AuthError('reauthorization_required', { reason: 'no_grant' });
    const raced = this.#sources.get(key);
    if (raced !== undefined) return { key, source: raced };
    this.#sources.set(key, source);
    return { key, source };
  }

  /** @internal Resolves when no refresh of this process is under way. */
  async idle(): Promise<void> {
    await Promise.all([...this.#sources.values()].map((source) => source.idle()));
  }

  async #store(key: string, version: number, record: GrantRecord): Promise<boolean> {
    const { records, keyedHash } = this.#runtime();
    const subject = await principalId(keyedHash, record.principal);
    const stored = await records.swap(key, version, record, grantIndex(record, subject));
    if (stored) this.#sources.get(key)?.forget();
    return stored;
  }

  async #audit(key: string, record: GrantRecord, type: 'grant-imported'): Promise<void> {
    const runtime = this.#runtime();
    const name = await this.auditName(key);
    runtime.audit.record(
      grantStream(name),
      stamped(runtime, {
        type,
        grant: name,
        principal: await principalId(runtime.keyedHash, record.principal),
        provider: record.provider,
        generation: record.generation,
        ...(record.scopes === undefined ? {} : { scopes: record.scopes }),
      }),
    );
  }

  #sharedSlotKey(provider: Provider, resource: string | undefined): string {
    if (!provider.resourceIndicators) return 'shared|';
    const found = resource === undefined ? undefined : this.#runtime().resources.get(resource);
    if (resource !== undefined && found === undefined)
      throw new ConfigurationError(
        `grants.import: resource: expected the name of a configured resource; got "${resource}"`,
        ['resource'],
      );
    return `shared|${found?.indicator ?? ''}`;
  }

  #provider(name: string, path: string): Provider {
    const provider = this.#runtime().providers.get(name);
    if (provider !== undefined) return provider;
    const known = [...this.#runtime().providers.keys()].join(', ');
    throw new ConfigurationError(`${path}: expected one of ${known}; got "${name}"`, ['provider']);
  }
}

/** What the store may search a grant by. */
export function grantIndex(
  record: GrantRecord,
  subject: string,
): { kind: 'grant'; status: string; subject: string } {
  return { kind: 'grant', status: record.state.status, subject };
}

function summary(record: GrantRecord): GrantSummary {
  const { state } = record;
  return {
    provider: record.provider,
    principal: record.principal,
    account: record.account,
    status: state.status,
    generation: record.generation,
    ...(record.scopes === undefined ? {} : { scopes: record.scopes }),
    ...(state.status === 'dead' ? { death: state.death } : {}),
  };
}
