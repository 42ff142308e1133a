import { withCredential } from '@outlive/ai-sdk';
import { defineResource } from '@outlive/core';
import * as z from 'zod';
import { paymentScopes } from './company.ts';

const payments = defineResource({ name: 'payments', scopes: paymentScopes });

/** What paying needs. It cannot be taken back. */
export const paying = {
  resource: payments,
  scopes: ['refunds:pay'],
  effect: 'irreversible',
} as const;

/** The agent's one tool. It does not know what a token is. */
export const tools = {
  payRefund: withCredential(paying, {
    description: 'Pay a refund. Cannot be taken back.',
    inputSchema: z.object({ refund: z.string() }),
    async execute({ refund }, { principal }) {
      const response = await principal.fetch(`refunds/${refund}`, {
        method: 'POST',
        headers: { 'idempotency-key': principal.idempotencyKey },
      });
      if (!response.ok) throw new Error(`the payment API answered ${response.status}`);
      return response.json();
    },
  }),
};
