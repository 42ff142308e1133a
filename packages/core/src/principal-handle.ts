import type { Principal, PrincipalHandle } from './principal.ts';

/** What a handle is made of. None of it is a token, and the handle keeps none. */
export interface HandleParts {
  readonly principal: Principal;
  readonly taskId: string;
  readonly resource: string;
  readonly idempotencyKey: string;
  readonly fetch: typeof globalThis.fetch;
}

/** Makes what a tool receives: frozen data and one function. */
export function createPrincipalHandle(parts: HandleParts): PrincipalHandle {
  const { principal, taskId, resource, idempotencyKey, fetch } = parts;
  const handle = {
    subject: principal.subject,
    tenant: principal.tenant,
    taskId,
    resource,
    idempotencyKey,
  };
  // Not enumerable: a handle that is logged, spread or serialised is its data.
  Object.defineProperty(handle, 'fetch', { value: fetch, enumerable: false });
  return Object.freeze(handle) as PrincipalHandle;
}
