import { alwaysActive, createOutlive, type Outlive } from '@outlive/core';
import { sqliteStore } from '@outlive/sqlite';

/** The person in whose name invoices are paid. */
export const clerk = { subject: 'ana' };
/** Who must agree too, before something that cannot be taken back goes on. */
export const admin = 'grace';

/** The resource indicator of the billing API (RFC 8707). */
export const billingAudience = 'https://billing.example/api';
/** All scopes of the billing API. The tools do not know that a payment needs the last one. */
export const billingScopes = ['invoices:read', 'invoices:write', 'payments:make'] as const;

/** What every process needs to open the same runtime. It travels over IPC only: there are keys in it. */
export interface RuntimeSettings {
  readonly storePath: string;
  readonly keys: {
    readonly current: string;
    readonly ring: Readonly<Record<string, Uint8Array>>;
    readonly hash: Uint8Array;
  };
  readonly issuerUrl: string;
  readonly apiUrl: string;
}

/** The runtime as every process opens it: one SQLite file, one set of keys. */
export function openRuntime(settings: RuntimeSettings): AsyncDisposable & { outlive: Outlive } {
  const store = sqliteStore({ path: settings.storePath });
  const outlive: Outlive = createOutlive({
    store,
    keys: settings.keys,
    providers: {
      company: { issuer: settings.issuerUrl, clientId: 'agent', clientSecret: 'agent-secret' },
    },
    resources: {
      billing: { provider: 'company', baseUrl: settings.apiUrl, scopes: billingScopes },
    },
    gate: alwaysActive,
    policy: {
      authorize({ by, task }) {
        if (by === admin) return { id: admin, roles: ['admin'] };
        return by === task.principal.subject ? { id: by, roles: ['user'] } : undefined;
      },
    },
  });
  return {
    outlive,
    async [Symbol.asyncDispose](): Promise<void> {
      await outlive.close();
      await store.close();
    },
  };
}
