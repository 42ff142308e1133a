import { createProtectedApi, createTestIssuer, type TestIssuer } from '@outlive/testing';

/** Who the agents act for. */
export const clerk = 'maya';

/** The resource indicator of the payment API (RFC 8707). */
const payments = 'https://payments.example/api';
export const paymentScopes = ['refunds:pay'] as const;

/** The company: an issuer with its directory, and a payment API that counts. */
export interface Company extends AsyncDisposable {
  readonly issuer: TestIssuer;
  readonly apiUrl: string;
  /** Refunds that were paid, oldest first. */
  readonly paid: readonly { readonly refund: string; readonly at: number }[];
  /** The newest token that the API was shown. */
  newestToken(): string;
  /** Disables or enables the clerk in the directory (SCIM 2.0, RFC 7644 section 3.5.2). */
  setClerkActive(active: boolean): Promise<void>;
}

/** Starts the company. Access tokens live for ten minutes: what ends here is not a matter of waiting. */
export async function startCompany(): Promise<Company> {
  const issuer = await createTestIssuer({
    accessTokenLifetimeMs: 600_000,
    accessTokenRevocation: 'token',
    resources: { [payments]: { scopes: paymentScopes } },
  });
  const paid: { refund: string; at: number }[] = [];
  const api = await createProtectedApi({
    issuer,
    audience: payments,
    routes: {
      'POST /refunds/:id': {
        scopes: ['refunds:pay'],
        handle(_request, { params: { id = '' } }) {
          paid.push({ refund: id, at: Date.now() });
          return Response.json({ refund: id, status: 'paid' });
        },
      },
    },
  });
  return {
    issuer,
    apiUrl: api.url,
    paid,
    newestToken: () => api.tokens().at(-1) ?? '',
    async setClerkActive(active) {
      const response = await fetch(`${issuer.url}/scim/v2/Users/${clerk}`, {
        method: 'PATCH',
        headers: { authorization: `Bearer ${issuer.adminToken}` },
        body: JSON.stringify({
          schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
          Operations: [{ op: 'replace', path: 'active', value: active }],
        }),
      });
      if (!response.ok) throw new Error(`the directory answered ${response.status}`);
    },
    async [Symbol.asyncDispose]() {
      await api.close();
      await issuer.close();
    },
  };
}
