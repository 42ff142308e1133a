import { grantStream } from './audit-streams.ts';
import type { UnfinishedRefresh } from './drain.ts';
import { AuthError, ConfigurationError } from './errors.ts';
import {
  checkImport,
  type GrantReference,
  type ImportGrant,
  importedGrant,
} from './grant-import.ts';
import type { GrantRecord } from './grant-record.ts';
import { grantIndex, grantRotation } from './grant-rotation.ts';
import type { Principal } from './principal.ts';
import { principalId } from './principal-id.ts';
import { recordKey } from './record-key.ts';
import type { Rotation, RotationContext, RotationParts } from './rotation-context.ts';
import { type Provider, type Runtime, stamped } from './runtime.ts';
import { TokenSource } from './token-source.ts';

/** A grant without its secrets. */
export interface GrantSummary extends GrantReference {
  readonly status: GrantRecord['state']['status'];
  readonly generation: number;
  readonly scopes?: readonly string[];
  /** Why it is dead. */
  readonly death?: string;
}

type Arrival = 'grant-imported' | 'grant-connected';

/** The grants of the app: how they come in, and the one source of tokens that each of them has in this process. */
export class Grants {
  readonly #runtime: () => Runtime;
  readonly #rotation: (provider: Provider) => RotationParts;
  readonly #rotations = new Map<string, Rotation>();
  readonly #sources = new Map<string, TokenSource>();
  #closed = false;

  constructor(runtime: () => Runtime, rotation: (provider: Provider) => RotationParts) {
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
    return this.take(options, 'grant-imported');
  }

  /** @internal Stores a grant, and records how it came. */
  async take(
    options: ImportGrant,
    how: Arrival,
    more: { readonly reason?: string } = {},
  ): Promise<GrantSummary> {
    checkImport(options);
    const runtime = this.#runtime();
    const provider = this.#provider(options.provider, 'grants.import: provider');
    const key = await this.key(options);
    const now = runtime.clock.now();
    const slotKey = this.#sharedSlotKey(provider, options.resource);
    for (;;) {
      const before = await runtime.records.get<GrantRecord>(key);
      const alive = before !== undefined && before.value.state.status !== 'dead';
      if (alive && options.replace !== true)
        throw new ConfigurationError(
          'grants.import: replace: expected true, since this principal has a living grant here',
          ['replace'],
        );
      const known = before?.value.issuerSubject;
      if (known !== undefined && (options.issuerSubject ?? known) !== known)
        throw new ConfigurationError(
          'grants.import: issuerSubject: expected the account that was connected before; got another one',
          ['issuerSubject'],
        );
      const record = importedGrant(options, before?.value, {
        slotKey,
        timing: {
          now,
          issuedAt: options.issuedAt ?? now,
          defaultLifetimeMs: this.#rotationAt(provider).parts.times.defaultLifetimeMs,
          jitter: runtime.random(),
        },
      });
      const version = before?.version ?? (await runtime.records.version(key));
      if (await this.#store(key, version, record)) {
        await this.#audit(key, record, how, more);
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
    const { keyedHash, installation } = this.#runtime();
    await installation.check();
    const subject = await principalId(keyedHash, principal);
    return recordKey('grant', principal.tenant, provider, subject, account ?? 'default');
  }

  /** @internal What names a grant in the audit log. */
  auditName(key: string): Promise<string> {
    return this.#runtime().keyedHash.hash('grant', key);
  }

  /** @internal The one source of tokens of a grant in this process. @throws {AuthError} when there is no such grant. */
  async source(reference: GrantReference): Promise<{ key: string; source: TokenSource }> {
    const key = await this.key(reference);
    const rotation = (): Rotation =>
      this.#rotationAt(this.#provider(reference.provider, 'provider'));
    return { key, source: await this.sourceOf(key, reference, rotation) };
  }

  /** @internal The one source of tokens of a record in this process: of a grant, or of a delegation with tokens of its own. */
  async sourceOf(
    key: string,
    reference: GrantReference,
    rotation: () => Rotation | Promise<Rotation>,
  ): Promise<TokenSource> {
    const known = this.#sources.get(key);
    if (known !== undefined) return known;
    const source = new TokenSource(await rotation(), key, reference);
    if (!(await source.exists()))
      throw new AuthError('reauthorization_required', { reason: 'no_grant' });
    const raced = this.#sources.get(key);
    if (raced !== undefined) return raced;
    this.#sources.set(key, source);
    return source;
  }

  /** @internal There will be no more tokens of this record. What is still asked for is waited for by `close`. */
  forget(key: string): void {
    const source = this.#sources.get(key);
    void source?.idle().then(() => this.#sources.delete(key));
  }

  /** @internal What the rotation of one grant works with. */
  async rotationOf(key: string, reference: GrantReference): Promise<RotationContext> {
    const runtime = this.#runtime();
    const subject = await principalId(runtime.keyedHash, reference.principal);
    const name = await this.auditName(key);
    const { parts } = this.#rotationAt(this.#provider(reference.provider, 'provider'));
    const closed = (): boolean => this.#closed;
    return grantRotation({ runtime, parts, key, subject, name, reference, closed });
  }

  #rotationAt(provider: Provider): Rotation {
    const known = this.#rotations.get(provider.name);
    if (known !== undefined) return known;
    const rotation: Rotation = {
      provider: provider.name,
      parts: this.#rotation(provider),
      contextOf: (key, reference) => this.rotationOf(key, reference),
    };
    this.#rotations.set(provider.name, rotation);
    return rotation;
  }

  /** @internal Resolves when no refresh of this process is under way. */
  async idle(): Promise<void> {
    await Promise.all([...this.#sources.values()].map((source) => source.idle()));
  }

  /** @internal Begins no further refresh, and resolves when none is under way: a pair that came later could not be stored. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.idle();
  }

  /** @internal What is still under way after `close`; the audit log is told of it. */
  async unfinished(): Promise<UnfinishedRefresh[]> {
    const runtime = this.#runtime();
    const unfinished: UnfinishedRefresh[] = [];
    for (const [key, source] of this.#sources) {
      const refresh = source.unfinished();
      if (refresh === undefined) continue;
      unfinished.push(refresh);
      const name = await this.auditName(key);
      const reason = refresh.holdsPair
        ? 'the process was closed while it held a pair that is not in the store yet'
        : 'the process was closed before the issuer had answered';
      runtime.audit.record(
        grantStream(name),
        stamped(runtime, {
          type: 'refresh-in-doubt',
          grant: name,
          provider: refresh.provider,
          reason,
        }),
      );
    }
    return unfinished;
  }

  async #store(key: string, version: number, record: GrantRecord): Promise<boolean> {
    const { records, keyedHash } = this.#runtime();
    const subject = await principalId(keyedHash, record.principal);
    const stored = await records.swap(key, version, record, grantIndex(record, subject));
    if (stored) this.#sources.get(key)?.forget();
    return stored;
  }

  async #audit(
    key: string,
    record: GrantRecord,
    type: Arrival,
    more: { readonly reason?: string } = {},
  ): Promise<void> {
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
        ...more,
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
