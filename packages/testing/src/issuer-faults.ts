/** What a fault plan is told about a token request before the issuer processes it. */
export interface TokenRequestFacts {
  /** The `grant_type` of the request, or an empty string. */
  readonly grantType: string;
  readonly isRefresh: boolean;
  /** Counts the token requests since the plan was installed; the first is 1. */
  readonly number: number;
}

/** Something that goes wrong at the token endpoint. */
export type TokenFault =
  /** The connection drops; the request is not processed. */
  | { readonly fault: 'dropBefore' }
  /** The request is processed, then the connection drops: the response is lost. */
  | { readonly fault: 'dropAfter' }
  /** Answered without being processed. `body` that is no string is sent as JSON. */
  | {
      readonly fault: 'status';
      readonly status: number;
      readonly body?: string | object;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Processed, but with a wait before or after it. */
  | { readonly fault: 'delay'; readonly beforeMs?: number; readonly afterMs?: number }
  /** Processed, then answered 200 with another body: HTML, broken JSON. */
  | { readonly fault: 'body'; readonly body: string; readonly contentType?: string }
  /** Processed, and the JSON of a granted response altered. */
  | {
      readonly fault: 'patch';
      readonly patch: (response: Record<string, unknown>) => Record<string, unknown>;
    };

/**
 * Decides what happens to a token request. A promise holds the request back until it settles, which orders
 * concurrent requests without waiting for time to pass.
 */
export type FaultPlan = (
  request: TokenRequestFacts,
) => TokenFault | undefined | Promise<TokenFault | undefined>;

/** The fault plans of one issuer, in the order they were installed. */
export interface FaultPlans {
  /** Installs a plan until the returned object is disposed. */
  install(plan: FaultPlan): Disposable;
  /** Asks every plan about a request; the first that names a fault decides. */
  faultFor(request: Omit<TokenRequestFacts, 'number'>): Promise<TokenFault | undefined>;
}

/** Starts without any plan. */
export function createFaultPlans(): FaultPlans {
  const installed = new Set<{ readonly plan: FaultPlan; requests: number }>();
  return {
    install(plan) {
      const entry = { plan, requests: 0 };
      installed.add(entry);
      return { [Symbol.dispose]: () => void installed.delete(entry) };
    },
    async faultFor(request) {
      // Numbered before the first await: a plan that holds requests back still numbers them by arrival.
      const asked = [...installed].map((entry) => {
        entry.requests += 1;
        return { plan: entry.plan, number: entry.requests };
      });
      for (const { plan, number } of asked) {
        const fault = await plan({ ...request, number });
        if (fault) return fault;
      }
      return undefined;
    },
  };
}
