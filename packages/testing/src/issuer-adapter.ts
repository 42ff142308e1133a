import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import type { IssuerLedger } from './issuer-ledger.ts';
import type { TestIssuerBehaviour } from './issuer-options.ts';

interface Entry {
  readonly model: string;
  readonly payload: AdapterPayload;
  readonly expiresAt: number;
  consumedAt?: number;
}

/** The text by which oidc-provider, and we after it, say that a refresh token was presented twice. */
export const reuseDetail = 'refresh token already used';

const tokenModels = new Set(['AccessToken', 'RefreshToken', 'AuthorizationCode']);

/**
 * Storage for oidc-provider in this process's memory.
 *
 * The stock memory adapter forgets all but 1000 entries, and its `consume` is no compare-and-set: two parallel
 * refreshes with one token both succeed there. This one forgets nothing, and the second consumer is a reuse.
 */
export function createIssuerAdapter(
  behaviour: TestIssuerBehaviour,
  ledger: IssuerLedger,
): (model: string) => Adapter {
  const entries = new Map<string, Entry>();
  const keysOfGrant = new Map<string, Set<string>>();
  const sessionOfUid = new Map<string, string>();
  const keyOf = (model: string, id: string): string => `${model}:${id}`;

  function entriesOfGrant(grantId: string, model: string): [string, Entry][] {
    return [...(keysOfGrant.get(grantId) ?? [])].flatMap((key) => {
      const entry = entries.get(key);
      return entry?.model === model ? [[key, entry] as [string, Entry]] : [];
    });
  }

  function removeOfGrant(grantId: string, model: string): void {
    for (const [key] of entriesOfGrant(grantId, model)) {
      entries.delete(key);
      keysOfGrant.get(grantId)?.delete(key);
    }
  }

  function killGrant(grantId: string): void {
    for (const model of tokenModels) removeOfGrant(grantId, model);
    entries.delete(keyOf('Grant', grantId));
    ledger.grantEnded(grantId);
  }

  function toleratesReuse(entry: Entry): boolean {
    const { reuse } = behaviour;
    if (entry.model !== 'RefreshToken' || reuse === 'strict') return false;
    if (reuse === 'untilChildUsed') return !hasUsedChild(entry);
    return Date.now() - (entry.consumedAt ?? 0) < reuse.leewayMs;
  }

  function hasUsedChild({ payload }: Entry): boolean {
    return entriesOfGrant(payload.grantId ?? '', 'RefreshToken').some(
      ([, other]) =>
        other.consumedAt !== undefined && (other.payload.rotations ?? 0) > (payload.rotations ?? 0),
    );
  }

  return (model) => ({
    async upsert(id, payload, expiresInSeconds) {
      // The winner of a refresh race may still be writing when the loser has already ended the grant.
      if (payload.grantId && tokenModels.has(model) && ledger.isEnded(payload.grantId)) return;

      const expiresAt = expiresInSeconds ? Date.now() + expiresInSeconds * 1000 : Infinity;
      const key = keyOf(model, id);
      entries.set(key, { model, payload: roundExpiryUp(payload, expiresAt), expiresAt });
      if (model === 'Session' && payload.uid) sessionOfUid.set(payload.uid, id);
      if (model === 'Grant') ledger.grantStarted(id);
      if (payload.grantId && tokenModels.has(model)) {
        const keys = keysOfGrant.get(payload.grantId) ?? new Set();
        keysOfGrant.set(payload.grantId, keys.add(key));
        if (model === 'RefreshToken') ledger.refreshTokenIssued(payload.grantId, id);
      }
    },

    async find(id) {
      const entry = entries.get(keyOf(model, id));
      if (!entry || entry.expiresAt <= Date.now()) return undefined;
      if (entry.consumedAt === undefined || toleratesReuse(entry)) return entry.payload;
      return { ...entry.payload, consumed: Math.floor(entry.consumedAt / 1000) };
    },

    async findByUid(uid) {
      const id = sessionOfUid.get(uid);
      return id === undefined ? undefined : this.find(id);
    },

    async findByUserCode(userCode) {
      for (const { model: kind, payload, expiresAt } of entries.values())
        if (kind === model && payload.userCode === userCode && expiresAt > Date.now())
          return payload;
      return undefined;
    },

    async consume(id) {
      const entry = entries.get(keyOf(model, id));
      const grantId = entry?.payload.grantId ?? '';
      if (!entry || (entry.consumedAt !== undefined && !toleratesReuse(entry))) {
        killGrant(grantId);
        throw new errors.InvalidGrant(reuseDetail);
      }
      entry.consumedAt ??= Date.now();
      if (model === 'RefreshToken' && behaviour.accessTokenAfterRotation === 'revoked') {
        removeOfGrant(grantId, 'AccessToken');
      }
    },

    async destroy(id) {
      entries.delete(keyOf(model, id));
      if (model === 'Grant') ledger.grantEnded(id);
    },

    async revokeByGrantId(grantId) {
      removeOfGrant(grantId, model);
    },
  });
}

/** oidc-provider counts from the start of the current second; `expiresAt` is exact and decides before this does. */
function roundExpiryUp(payload: AdapterPayload, expiresAt: number): AdapterPayload {
  return payload.exp && expiresAt !== Infinity
    ? { ...payload, exp: Math.ceil(expiresAt / 1000) }
    : payload;
}
