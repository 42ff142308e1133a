import { IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { Provider } from 'oidc-provider';
import type { FaultPlans, TokenFault } from './issuer-faults.ts';
import type { IssuerLedger } from './issuer-ledger.ts';
import type { TestIssuerBehaviour } from './issuer-options.ts';

/** A function in front of oidc-provider's own request handling. */
export type Middleware = Parameters<Provider['use']>[0];

type Context = Parameters<Middleware>[0];
type Next = Parameters<Middleware>[1];

/** Counts token requests, makes them slow, and lets the fault plans have their way. */
export function tokenEndpoint(
  behaviour: TestIssuerBehaviour,
  ledger: IssuerLedger,
  plans: FaultPlans,
): Middleware {
  return async (context, next) => {
    if (context.path !== '/token' || context.method !== 'POST') return next();

    const body = await buffer(context.req);
    context.req = unread(context.req, body);
    const form = new URLSearchParams(body.toString());
    const grantType = form.get('grant_type') ?? '';
    const isRefresh = grantType === 'refresh_token';
    ledger.counters.tokenRequests += 1;
    if (isRefresh) ledger.counters.refreshRequests += 1;
    ledger.refreshTokenPresented(form.get('refresh_token') ?? '');

    const fault = await plans.faultFor({ grantType, isRefresh });
    if (behaviour.latencyMs > 0) await delay(behaviour.latencyMs);
    await run(fault, context, async () => {
      await next();
      ledger.tokensIssued(context.body);
    });
  };
}

async function run(fault: TokenFault | undefined, context: Context, next: Next): Promise<void> {
  switch (fault?.fault) {
    case undefined:
      return next();
    case 'dropBefore':
      return dropConnection(context);
    case 'dropAfter':
      await next();
      return dropConnection(context);
    case 'status':
      context.status = fault.status;
      context.set({ ...fault.headers });
      context.body = fault.body ?? { error: 'temporarily_unavailable' };
      return;
    case 'delay':
      await delay(fault.beforeMs ?? 0);
      await next();
      await delay(fault.afterMs ?? 0);
      return;
    case 'body':
      await next();
      context.status = 200;
      context.body = fault.body;
      context.type = fault.contentType ?? 'application/json';
      return;
    case 'patch':
      await next();
      if (context.status === 200) {
        context.body = fault.patch(context.body as Record<string, unknown>);
      }
  }
}

function dropConnection(context: Context): void {
  context.respond = false;
  context.res.socket?.destroy();
}

/** The same request with its body still to be read: oidc-provider warns about one that was read for it. */
function unread(request: IncomingMessage, body: Buffer): IncomingMessage {
  const copy = new IncomingMessage(request.socket);
  copy.method = request.method ?? '';
  copy.url = request.url ?? '';
  copy.headers = request.headers;
  copy.push(body);
  copy.push(null);
  // Otherwise Node takes the end of this copy for an aborted request and closes the connection.
  copy.complete = true;
  return copy;
}
