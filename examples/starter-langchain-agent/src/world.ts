import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProtectedApi, createTestIssuer, type TestIssuer } from '@outlive/testing';
import type { RuntimeSettings } from './runtime.ts';

/** The resource indicator of the books (RFC 8707): the audience of their tokens. */
const audience = 'https://books.example/api';

const clientId = 'bookkeeper';
const clientSecret = 'bookkeeper-secret';
const redirectUri = 'http://127.0.0.1/connect/callback';

const invoices = [
  { id: 'I-201', customer: 'Adler', cents: 12_000, overdue: true },
  { id: 'I-202', customer: 'Brandt', cents: 4_900, overdue: false },
  { id: 'I-203', customer: 'Celik', cents: 31_500, overdue: true },
  { id: 'I-204', customer: 'Diaz', cents: 8_000, overdue: true },
];

/** Everything around the agent; not part of it. */
export interface World extends AsyncDisposable {
  readonly issuer: TestIssuer;
  readonly settings: RuntimeSettings;
  /** The invoices that reminders were sent for, in that order. */
  readonly reminders: readonly string[];
  /** Requests with a token so far, let through or not. */
  readonly requests: number;
  /** Ends the app's access when the third reminder is about to be sent, as a person does in their account (RFC 7009). */
  endAccessAtThirdReminder(): void;
}

/** Starts an issuer, and books that look at one request after the other. */
export async function startWorld(): Promise<World> {
  const issuer = await createTestIssuer({
    accessTokenLifetimeMs: 60_000,
    resources: { [audience]: { scopes: ['invoices:read', 'reminders:send'] } },
    clients: [{ clientId, clientSecret, redirectUris: [redirectUri] }],
  });
  const reminders: string[] = [];
  let requests = 0;
  let endsAccess = false;
  let last: Promise<unknown> = Promise.resolve();
  const books = await createProtectedApi({
    issuer: {
      accessToken(token) {
        const answer = last.then(async () => {
          requests += 1;
          if (endsAccess && reminders.length === 2) {
            endsAccess = false;
            await endAccess(issuer);
          }
          return issuer.accessToken(token);
        });
        last = answer;
        return answer;
      },
    },
    audience,
    routes: {
      'GET /invoices': { scopes: ['invoices:read'], handle: () => Response.json(invoices) },
      'POST /invoices/:id/reminder': {
        scopes: ['reminders:send'],
        handle(_request, { params: { id = '' } }) {
          reminders.push(id);
          return Response.json({ invoice: id, reminder: 'sent' });
        },
      },
    },
  });
  const folder = await mkdtemp(join(tmpdir(), 'outlive-langchain-starter-'));
  return {
    issuer,
    settings: {
      storePath: join(folder, 'outlive.db'),
      sealingKey: randomBytes(32),
      hashKey: randomBytes(32),
      issuerUrl: issuer.url,
      clientId,
      clientSecret,
      redirectUri,
      booksUrl: books.url,
    },
    reminders,
    get requests() {
      return requests;
    },
    endAccessAtThirdReminder() {
      endsAccess = true;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([books.close(), issuer.close()]);
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function endAccess(issuer: TestIssuer): Promise<void> {
  const newest = issuer.issuedTokens().findLast(({ type }) => type === 'refresh_token');
  const response = await fetch(`${issuer.url}/token/revocation`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
    body: new URLSearchParams({ token: newest?.value ?? '' }),
  });
  if (!response.ok) throw new Error(`the revocation was answered with ${response.status}`);
}
