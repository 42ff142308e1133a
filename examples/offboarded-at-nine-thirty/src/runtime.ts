import {
  createOutlive,
  defaultEscalation,
  type EscalationPolicy,
  type Outlive,
  webhookNotifier,
} from '@outlive/core';
import { fileSink } from '@outlive/core/node';
import { scimSource } from '@outlive/signals';
import { sqliteStore } from '@outlive/sqlite';
import { clerk, paymentScopes } from './company.ts';

/** Who decides when the clerk can't. */
export const manager = 'noor';

/** What every process needs to open the same runtime. It travels over IPC only: there are keys in it. */
export interface RuntimeSettings {
  readonly storePath: string;
  readonly auditPath: string;
  readonly keys: {
    readonly current: string;
    readonly ring: Readonly<Record<string, Uint8Array>>;
    readonly hash: Uint8Array;
  };
  readonly issuerUrl: string;
  readonly apiUrl: string;
  /** Where the manager's messages go. */
  readonly inboxUrl: string;
  readonly inboxSecret: Uint8Array;
}

const hourMs = 3_600_000;

/** Who was stopped never decides: their manager has four hours, then an admin. */
const escalate: EscalationPolicy = (context) =>
  context.reason.code === 'user_state'
    ? { steps: [{ roles: ['manager'], forMs: 4 * hourMs }, { roles: ['admin'] }] }
    : defaultEscalation(context);

/** The runtime as every process opens it: one SQLite file, one set of keys, the same people to ask. */
export function openRuntime(settings: RuntimeSettings): AsyncDisposable & { outlive: Outlive } {
  const store = sqliteStore({ path: settings.storePath });
  const outlive: Outlive = createOutlive({
    store,
    keys: settings.keys,
    providers: {
      company: {
        issuer: settings.issuerUrl,
        clientId: 'agent',
        clientSecret: 'agent-secret',
        profile: { accessTokenRevocation: 'token' },
        delegation: 'narrowedRefresh',
      },
    },
    resources: {
      payments: { provider: 'company', baseUrl: settings.apiUrl, scopes: paymentScopes },
    },
    gate: [
      scimSource({
        name: 'directory',
        baseUrl: `${settings.issuerUrl}/scim/v2`,
        whenInactive: 'revoked',
      }),
    ],
    policy: {
      escalate,
      authorize({ by, task }) {
        if (by === manager) return { id: manager, roles: ['manager'] };
        return by === task.principal.subject ? { id: clerk, roles: ['user'] } : undefined;
      },
    },
    notifiers: [webhookNotifier({ url: settings.inboxUrl, secret: settings.inboxSecret })],
    audit: { sinks: [fileSink({ file: settings.auditPath, whenFailing: 'stop' })] },
  });
  return {
    outlive,
    async [Symbol.asyncDispose](): Promise<void> {
      await outlive.close();
      await store.close();
    },
  };
}
