import { AuthError, type PrincipalHandle, type Requirement } from '@outlive/core';
import type { CredentialedTool, NeutralTool, PlainTool } from './adapter-under-test.ts';

/** Hears of every call that a tool runs, as `tool:id`; may hold the tool up before it does anything. */
export interface ToolWatch {
  readonly started: (call: string, principal?: PrincipalHandle) => void | Promise<void>;
  readonly ended?: (call: string) => unknown;
}

const seeing: Requirement = { resource: 'billing', scopes: ['billing.see'], effect: 'read' };
const noting: Requirement = { resource: 'billing', scopes: ['billing.note'], effect: 'reversible' };
/** The author of the tool does not know that the API wants more than this for payments. */
const paying: Requirement = {
  resource: 'billing',
  scopes: ['billing.note'],
  effect: 'irreversible',
};

/** What a task needs for all of the tools. */
export const requirements: readonly Requirement[] = [seeing, noting, paying];

/** What the tool that swallows refusals answers then. */
export const swallowed = 'could not pay, never mind';

/** The tools of the scenarios. They keep nothing: every process makes its own. */
export function createTools(watch: ToolWatch): readonly NeutralTool[] {
  function credentialed(
    name: string,
    requirement: Requirement,
    act: (principal: PrincipalHandle, about: string) => Promise<string>,
  ): CredentialedTool {
    return {
      name,
      requirement,
      async run(principal, { about }, toolCallId) {
        await watch.started(`${name}:${toolCallId}`, principal);
        try {
          return await act(principal, about);
        } finally {
          watch.ended?.(`${name}:${toolCallId}`);
        }
      },
    };
  }

  const pay = (principal: PrincipalHandle, about: string): Promise<string> =>
    send(principal, 'payments', about);
  const wait: PlainTool = {
    name: 'wait',
    async run({ about }, toolCallId) {
      await watch.started(`wait:${toolCallId}`);
      return `waited for ${about}`;
    },
  };

  return [
    credentialed('listInvoices', seeing, async (principal, about) => {
      const response = await principal.fetch(`invoices?about=${about}`);
      return `${response.status}: ${await response.text()}`;
    }),
    credentialed('addNote', noting, (principal, about) => send(principal, 'notes', about)),
    credentialed('payInvoice', paying, pay),
    credentialed('payQuietly', paying, async (principal, about) => {
      try {
        return await pay(principal, about);
      } catch (error) {
        if (!AuthError.is(error)) throw error;
        return swallowed;
      }
    }),
    wait,
  ];
}

/** The credentialed tool of that name. */
export function credentialedTool(tools: readonly NeutralTool[], name: string): CredentialedTool {
  const tool = tools.find((candidate) => candidate.name === name);
  if (tool?.requirement === undefined) throw new Error(`there is no credentialed tool ${name}`);
  return tool;
}

async function send(principal: PrincipalHandle, path: string, about: string): Promise<string> {
  const response = await principal.fetch(path, {
    method: 'POST',
    body: JSON.stringify({ about }),
    headers: { 'idempotency-key': principal.idempotencyKey },
  });
  return `${response.status}: ${await response.text()}`;
}
