import { withCredential } from '@outlive/ai-sdk';
import { defineResource, type PrincipalHandle } from '@outlive/core';
import { tool } from 'ai';
import * as z from 'zod';
import { supportScopes } from './support-api.ts';

const support = defineResource({ name: 'support', scopes: supportScopes });

const reads = { resource: support, scopes: ['tickets:read'], effect: 'read' } as const;
const tags = { resource: support, scopes: ['tickets:write'], effect: 'reversible' } as const;
const replies = { resource: support, scopes: ['tickets:write'], effect: 'irreversible' } as const;

/** What the task is given: the union of what its tools need. */
export const requirements = [reads, tags, replies];

const inputSchema = z.object({ ticket: z.string() });

/** The agent's tools. None of them knows what a token is. */
export const tools = {
  readTicket: withCredential(reads, {
    description: 'Read a ticket',
    inputSchema,
    execute: ({ ticket }, { principal }) => request(principal, `tickets/${ticket}`, 'GET'),
  }),
  tagTicket: withCredential(tags, {
    description: 'Tag a ticket with its topic',
    inputSchema,
    execute: ({ ticket }, { principal }) => request(principal, `tickets/${ticket}/tag`, 'PUT'),
  }),
  replyToTicket: withCredential(replies, {
    description: 'Answer the customer. Cannot be taken back.',
    inputSchema,
    execute: ({ ticket }, { principal }) => request(principal, `tickets/${ticket}/reply`, 'POST'),
  }),
  saveDraft: saveDraft(),
};

/** Needs no credential; what a model turns to when the real tools fail. */
export function saveDraft() {
  return tool({
    description: 'Keep a note for later',
    inputSchema,
    execute: async ({ ticket }) => ({ ticket, saved: 'as a draft' }),
  });
}

async function request(principal: PrincipalHandle, path: string, method: string): Promise<unknown> {
  const response = await principal.fetch(path, {
    method,
    ...(method !== 'GET' && { headers: { 'idempotency-key': principal.idempotencyKey } }),
  });
  if (!response.ok) throw new Error(`the support API answered ${response.status}`);
  return response.json();
}
