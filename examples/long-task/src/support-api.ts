import { setTimeout as delay } from 'node:timers/promises';
import { type ApiRoute, createProtectedApi, type TestIssuer } from '@outlive/testing';
import { type Action, type Call, job, type Queue, type Step } from './job.ts';

/** The resource indicator of the support API (RFC 8707): the audience of its tokens. */
export const supportAudience = 'https://support.example/api';

/** Scopes of the support API. The job needs the first two. */
export const supportScopes = ['tickets:read', 'tickets:write', 'tickets:delete'] as const;

/** The support desk behind its protected API, and what it counts about the job. */
export interface SupportApi extends AsyncDisposable {
  readonly url: string;
  /** Steps of which every call was answered. */
  stepsDone(queue?: Queue): number;
  /** Writes that were made more than once, told by ticket and action and not by the caller's idempotency key. */
  duplicateSideEffects(): number;
}

/** Starts the API for the tokens of `issuer`. It takes its time, as APIs do. */
export async function startSupportApi(
  issuer: Pick<TestIssuer, 'accessToken'>,
): Promise<SupportApi> {
  const begun = new Map<string, number>();
  const answered = new Set<string>();

  const route = (action: Action, scope: string): ApiRoute => ({
    scopes: [scope],
    async handle(_request, { params: { id = '' } }) {
      const call = nameOf({ action, ticket: id });
      begun.set(call, (begun.get(call) ?? 0) + 1);
      await delay(latencyMs(call));
      answered.add(call);
      return Response.json({ ticket: id, [action]: 'ok', text: 'Where is my order?' });
    },
  });
  const api = await createProtectedApi({
    issuer,
    audience: supportAudience,
    routes: {
      'GET /tickets/:id': route('read', 'tickets:read'),
      'PUT /tickets/:id/tag': route('tag', 'tickets:write'),
      'POST /tickets/:id/reply': route('reply', 'tickets:write'),
    },
  });
  const isDone = ({ calls }: Step): boolean => calls.every((call) => answered.has(nameOf(call)));

  return {
    url: api.url,
    stepsDone: (queue) =>
      job.filter((step) => (queue === undefined || step.queue === queue) && isDone(step)).length,
    duplicateSideEffects: () =>
      [...begun]
        .filter(([call]) => !call.startsWith('read '))
        .reduce((duplicates, [, times]) => duplicates + times - 1, 0),
    [Symbol.asyncDispose]: () => api.close(),
  };
}

function nameOf({ action, ticket }: Call): string {
  return `${action} ${ticket}`;
}

/** 150 to 400 ms, the same for the same call in every run. */
function latencyMs(call: string): number {
  const sum = [...call].reduce((total, letter) => total + letter.charCodeAt(0), 0);
  return 150 + ((sum * 37) % 251);
}
