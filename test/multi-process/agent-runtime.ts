import {
  type Clock,
  createOutlive,
  type Gate,
  type Journal,
  type Outlive,
  type OutliveOptions,
  type PolicyConfiguration,
  type Store,
  webhookNotifier,
} from '@outlive/core';
import type { AgentSetup } from './agent-setup.ts';

/** What a process brings of its own. */
export interface AgentParts {
  readonly store: Store;
  readonly clock?: Clock;
  readonly journal?: Journal;
  readonly fetch?: typeof globalThis.fetch;
  /** Default: everybody is active. */
  readonly gate?: Gate;
  readonly audit?: NonNullable<OutliveOptions['audit']>;
}

/** The runtime of one process: all processes of a test configure the same one. */
export function createAgentRuntime(
  setup: Pick<
    AgentSetup,
    'issuerUrl' | 'apiUrl' | 'keys' | 'profile' | 'policy' | 'delegation' | 'ladder' | 'dpop'
  >,
  parts: AgentParts,
): Outlive {
  return createOutlive({
    gate: () => 'active',
    ...parts,
    keys: setup.keys,
    providers: {
      issuer: {
        issuer: setup.issuerUrl,
        clientId: 'agent',
        clientSecret: 'agent-secret',
        profile: { ...setup.profile },
        ...(setup.dpop === undefined ? {} : { dpop: setup.dpop }),
        ...(setup.delegation === undefined ? {} : { delegation: setup.delegation }),
      },
    },
    resources: {
      api: {
        provider: 'issuer',
        baseUrl: setup.apiUrl,
        indicator: `${setup.issuerUrl}/api`,
        scopes: ['read', 'write'],
      },
    },
    ...(setup.ladder === undefined ? {} : { notifiers: [webhookNotifier(setup.ladder)] }),
    policy: {
      ...setup.policy,
      ...escalationOf(setup.ladder),
      authorize: ({ by }) => ({ id: by, roles: ['user', 'manager', 'admin', 'operator'] }),
    },
  });
}

function escalationOf(ladder: AgentSetup['ladder']): Pick<PolicyConfiguration, 'escalate'> {
  if (ladder === undefined) return {};
  const { userForMs } = ladder;
  return {
    escalate: () => ({ steps: [{ roles: ['user'], forMs: userForMs }, { roles: ['admin'] }] }),
  };
}
