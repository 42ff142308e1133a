import { alwaysActive, createOutlive, type Outlive } from '@outlive/core';
import { sqliteStore } from '@outlive/sqlite';

/** Scopes of the books, and those that ask the issuer who signs in. */
export const connectionScopes = ['openid', 'offline_access', 'invoices:read', 'reminders:send'];

/** What differs from one installation to another. */
export interface RuntimeSettings {
  readonly storePath: string;
  /** 32 random bytes each, from your secret manager. */
  readonly sealingKey: Uint8Array;
  readonly hashKey: Uint8Array;
  readonly issuerUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Your page to which the issuer sends the browser back. */
  readonly redirectUri: string;
  readonly booksUrl: string;
}

/** The runtime of a process. */
export function openRuntime(settings: RuntimeSettings): AsyncDisposable & { outlive: Outlive } {
  const { sealingKey, hashKey, issuerUrl, clientId, clientSecret, redirectUri } = settings;
  const store = sqliteStore({ path: settings.storePath });
  const outlive: Outlive = createOutlive({
    store,
    keys: { current: 'k1', ring: { k1: sealingKey }, hash: hashKey },
    providers: { books: { issuer: issuerUrl, clientId, clientSecret, redirectUri } },
    resources: {
      books: {
        provider: 'books',
        baseUrl: settings.booksUrl,
        scopes: ['invoices:read', 'reminders:send'],
      },
    },
    gate: alwaysActive, // ask your directory
    policy: {
      // Only the person a task acts for decides about it; `by` is their id from your session.
      authorize: async ({ by, task }) =>
        task.principal.subject === by ? { id: by, roles: ['user'] } : undefined,
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
