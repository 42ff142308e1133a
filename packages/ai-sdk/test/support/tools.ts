import { defineResource } from '@outlive/core';
import { tool } from 'ai';
import { z } from 'zod';
import { principalOf, withCredential } from '../../src/index.ts';

/** What the tools of the tests ask for. */
export const mail = defineResource({ name: 'mail', scopes: ['read', 'write'] });

/** Another resource, behind an account of its own. */
export const files = defineResource({ name: 'files', scopes: ['read'] });

const read = { resource: mail, scopes: ['read'], effect: 'read' } as const;
const send = { resource: mail, scopes: ['write'], effect: 'irreversible' } as const;

/** Tools of every kind; `executed` has the ids of the calls that ran, in order. */
export function createTools(executed: string[] = []) {
  const input = z.object({ q: z.string().optional() });
  return {
    readMail: withCredential(read, {
      inputSchema: input,
      execute: async ({ q }, { principal, toolCallId }) => {
        executed.push(`readMail:${toolCallId}`);
        return { q, answer: await (await principal.fetch('mails/readMail')).json() };
      },
    }),
    sendMail: withCredential(send, {
      inputSchema: input,
      execute: async (_input, { principal, toolCallId }) => {
        executed.push(`sendMail:${toolCallId}`);
        await principal.fetch('mails/sendMail', { method: 'POST' });
        return 'sent';
      },
    }),
    /** Streams what it does. */
    searchMail: withCredential(read, {
      inputSchema: input,
      async *execute(_input, { principal, toolCallId }) {
        executed.push(`searchMail:${toolCallId}`);
        yield 'searching';
        await principal.fetch('mails/searchMail');
        yield 'found';
      },
    }),
    /** Catches what it should let through. */
    stubborn: withCredential(read, {
      inputSchema: input,
      execute: async (_input, { principal, toolCallId }) => {
        executed.push(`stubborn:${toolCallId}`);
        try {
          await principal.fetch('mails/stubborn');
          return 'mails';
        } catch {
          return 'nothing new today';
        }
      },
    }),
    /** An existing tool that was guarded. */
    listMail: withCredential(
      read,
      tool({
        inputSchema: input,
        execute: async (_input, options) => {
          executed.push(`listMail:${options.toolCallId}`);
          await principalOf(options).fetch('mails/listMail');
          return `mails for ${principalOf(options).resource}`;
        },
      }),
    ),
    /** Asks for another account. */
    readFile: withCredential(
      { resource: files, scopes: ['read'], effect: 'read' },
      {
        inputSchema: input,
        execute: async (_input, { principal, toolCallId }) => {
          executed.push(`readFile:${toolCallId}`);
          return (await principal.fetch('files/readFile')).json();
        },
      },
    ),
    /** Needs no credential. */
    clock: tool({
      inputSchema: z.object({}),
      execute: async (_input, { toolCallId }) => {
        executed.push(`clock:${toolCallId}`);
        return 'noon';
      },
    }),
  };
}
