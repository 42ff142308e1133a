import { withCredential } from '@outlive/ai-sdk';
import { defineResource } from '@outlive/core';
import { z } from 'zod';

const desk = defineResource({ name: 'desk', scopes: ['tickets:read', 'tickets:write'] });

/** What the agent can do. None of it knows what a token is. */
export const tools = {
  listTickets: withCredential(
    { resource: desk, scopes: ['tickets:read'], effect: 'read' },
    {
      description: 'List the open tickets, and which of them are resolved',
      inputSchema: z.object({}),
      execute: async (_input, { principal }) => answerOf(await principal.fetch('tickets')),
    },
  ),
  closeTicket: withCredential(
    { resource: desk, scopes: ['tickets:write'], effect: 'reversible' },
    {
      description: 'Close a ticket',
      inputSchema: z.object({ id: z.string().regex(/^T-\d+$/) }),
      execute: async ({ id }, { principal }) =>
        answerOf(
          await principal.fetch(`tickets/${id}/close`, {
            method: 'POST',
            headers: { 'idempotency-key': principal.idempotencyKey },
          }),
        ),
    },
  ),
};

async function answerOf(response: Response): Promise<unknown> {
  if (!response.ok) throw new Error(`the support desk answered ${response.status}`);
  return response.json();
}
