import { defineResource, type PrincipalHandle } from '@outlive/core';
import { withCredential } from '@outlive/langchain';
import { z } from 'zod';

const billing = defineResource({ name: 'billing', scopes: ['invoices:read', 'invoices:write'] });

const schema = z.object({ invoice: z.string() });

/** The agent's tools. None of them knows what a token is. */
export const tools = [
  withCredential(
    { resource: billing, scopes: ['invoices:read'], effect: 'read' },
    async ({ invoice }, { principal }) => send(principal, `invoices/${invoice}`, 'GET'),
    { name: 'readInvoice', description: 'Read an invoice', schema },
  ),
  withCredential(
    { resource: billing, scopes: ['invoices:write'], effect: 'reversible' },
    async ({ invoice }, { principal }) => send(principal, `invoices/${invoice}/mark`, 'PUT'),
    { name: 'markInvoice', description: 'Mark an invoice as checked', schema },
  ),
  withCredential(
    { resource: billing, scopes: ['invoices:write'], effect: 'irreversible' },
    async ({ invoice }, { principal }) => send(principal, `invoices/${invoice}/payment`, 'POST'),
    { name: 'payInvoice', description: 'Pay an invoice. Cannot be taken back.', schema },
  ),
];

async function send(principal: PrincipalHandle, path: string, method: string): Promise<string> {
  const headers = { 'idempotency-key': principal.idempotencyKey };
  const response = await principal.fetch(path, { method, headers });
  if (!response.ok) throw new Error(`the billing API answered ${response.status}`);
  return response.text();
}
