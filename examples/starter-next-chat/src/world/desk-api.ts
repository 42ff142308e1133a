import { createProtectedApi, type ProtectedApi, type TestIssuer } from '@outlive/testing';

/** The resource indicator of the desk's API (RFC 8707): the audience of its tokens. */
export const deskAudience = 'https://desk.example/api';

/** Scopes of the desk's API. */
export const deskScopes = ['tickets:read', 'tickets:write'] as const;

/** A ticket as the API shows it. */
interface Ticket {
  readonly id: string;
  readonly title: string;
  readonly resolved: boolean;
  closed: boolean;
}

/** A support desk with a few tickets behind a protected API. */
export interface DeskApi extends Pick<ProtectedApi, 'url' | 'accepted' | 'tokens'> {
  /** Requests with a token so far, let through or not. */
  readonly requests: number;
  /** Runs `act` when that many further requests have come, before the last of them is looked at. */
  atRequest(countdown: number, act: () => Promise<void>): void;
  close(): Promise<void>;
}

/** Starts the API for the tokens of `issuer`. It looks at one request after the other. */
export async function startDeskApi(issuer: Pick<TestIssuer, 'accessToken'>): Promise<DeskApi> {
  const tickets: Ticket[] = [
    { id: 'T-101', title: 'Invoice shows the old address', resolved: true, closed: false },
    { id: 'T-102', title: 'Password mail never arrives', resolved: true, closed: false },
    { id: 'T-103', title: 'Export to CSV loses umlauts', resolved: true, closed: false },
    { id: 'T-104', title: 'Cannot add a second seat', resolved: false, closed: false },
  ];
  let requests = 0;
  let due: { readonly at: number; readonly act: () => Promise<void> } | undefined;
  let last: Promise<unknown> = Promise.resolve();

  const api = await createProtectedApi({
    issuer: {
      accessToken(token) {
        const answer = last.then(async () => {
          requests += 1;
          if (requests === due?.at) await due.act();
          return issuer.accessToken(token);
        });
        last = answer;
        return answer;
      },
    },
    audience: deskAudience,
    routes: {
      'GET /tickets': {
        scopes: ['tickets:read'],
        handle: () => Response.json(tickets.filter(({ closed }) => !closed)),
      },
      'POST /tickets/:id/close': {
        scopes: ['tickets:write'],
        handle(_request, { params }) {
          const ticket = tickets.find(({ id }) => id === params['id']);
          if (ticket === undefined) return Response.json({ error: 'not_found' }, { status: 404 });
          ticket.closed = true;
          return Response.json(ticket);
        },
      },
    },
  });

  return {
    url: api.url,
    accepted: api.accepted,
    tokens: api.tokens,
    get requests() {
      return requests;
    },
    atRequest(countdown, act) {
      due = { at: requests + countdown, act };
    },
    close: api.close,
  };
}
