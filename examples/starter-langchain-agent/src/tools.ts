import { defineResource, type PrincipalHandle } from '@outlive/core';
import { withCredential } from '@outlive/langchain';
import { z } from 'zod';

/** The API that the tools call. Where it is, and whose tokens it takes, is said in `runtime.ts`. */
const books = defineResource({ name: 'books', scopes: ['invoices:read', 'reminders:send'] });

const listInvoices = withCredential(
  { resource: books, scopes: ['invoices:read'], effect: 'read' },
  async (_input, { principal }) => answerOf(await principal.fetch('invoices')),
  {
    name: 'listInvoices',
    description: 'List all invoices, and which of them are overdue',
    schema: z.object({}),
  },
);

const sendReminder = withCredential(
  { resource: books, scopes: ['reminders:send'], effect: 'reversible' },
  async ({ invoice }, { principal }) => sendTo(principal, `invoices/${invoice}/reminder`),
  {
    name: 'sendReminder',
    description: 'Remind the customer of an invoice that is overdue',
    schema: z.object({ invoice: z.string().regex(/^I-\d+$/) }),
  },
);

/** What the agent can do. None of it knows what a token is. */
export const tools = [listInvoices, sendReminder];

async function sendTo(principal: PrincipalHandle, path: string): Promise<string> {
  const headers = { 'idempotency-key': principal.idempotencyKey };
  return answerOf(await principal.fetch(path, { method: 'POST', headers }));
}

async function answerOf(response: Response): Promise<string> {
  if (!response.ok) throw new Error(`the books answered ${response.status}`);
  return response.text();
}
