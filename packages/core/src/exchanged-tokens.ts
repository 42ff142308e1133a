import type { AuditEvent, AuditEventType } from './audit-event.ts';
import {
  type DelegationRecord,
  delegationIndex,
  delegationKey,
  type ExchangedDelegation,
  isExchanged,
  sharedSlot,
} from './delegation.ts';
import { aboutDelegation } from './delegation-store.ts';
import { AuthError } from './errors.ts';
import type { SlotSpec } from './grant-record.ts';
import type { TaskCell } from './known-tasks.ts';
import { takeInOrphan } from './orphaned-token.ts';
import type { RotationContext } from './rotation-context.ts';
import type { Runtime } from './runtime.ts';
import type { Tasks } from './tasks.ts';
import { TokenExchange } from './token-exchange.ts';
import type { TokenSource } from './token-source.ts';

/**
 * The tokens of a delegation that has its own, in this process.
 *
 * They are minted the way a grant is rotated: claimed in the record before the request, once for all processes, due
 * and unusable at the same points, and asked of the gate each time. Only the request is another one, and it uses
 * nothing up.
 *
 * @throws {AuthError} when the store has no such delegation, or its grant is gone.
 */
export async function exchangedTokens(
  runtime: Runtime,
  tasks: Tasks,
  delegationId: string,
): Promise<{ readonly source: TokenSource; readonly slot: SlotSpec }> {
  const key = delegationKey(delegationId);
  const found = await runtime.records.get<DelegationRecord>(key);
  if (found === undefined || !isExchanged(found.value))
    throw new AuthError('misconfigured', {
      reason: 'delegation',
      detail: 'the task was started when its provider had another kind of delegation',
    });
  const delegation = found.value;
  const source = await runtime.grants.sourceOf(key, delegation, async () => {
    const parts = await exchangeContext(runtime, tasks, delegation);
    return { provider: delegation.provider, parts, contextOf: async () => parts };
  });
  return { source, slot: delegation.slot };
}

async function exchangeContext(
  runtime: Runtime,
  tasks: Tasks,
  delegation: ExchangedDelegation,
): Promise<RotationContext> {
  const { grants, providers, resources, clock } = runtime;
  const { id, taskId, principal, account, scopes, grantKey } = delegation;
  const provider = providers.get(delegation.provider);
  const resource = resources.get(delegation.resource);
  if (provider === undefined || resource === undefined)
    throw new AuthError('misconfigured', {
      reason: 'delegation',
      detail: `no provider ${delegation.provider} with a resource ${delegation.resource} is configured`,
    });
  const grantedBy = providers.get(provider.grantedBy) ?? provider;
  const isAsserted = delegation.strategy === 'identityAssertion';
  const reference = { provider: grantedBy.name, principal, account };
  const { source: grant } = await grants.source(reference);
  const rotation = await grants.rotationOf(grantKey, reference);
  const grantName = await grants.auditName(grantKey);
  const { lifetimeParameter, parameters } = provider.exchange;
  // The grant is for whatever the identity provider protects; the resource is somebody else's.
  const subjectSlot = sharedSlot(isAsserted ? undefined : resource.indicator);
  const task = async (): Promise<TaskCell> => {
    const cell = await tasks.load(taskId);
    if (cell === undefined) throw new AuthError('task_ended', { detail: `no task ${taskId}` });
    return cell;
  };
  const { actor } = provider;
  const started = await task();
  const exchange = new TokenExchange({
    issuer: grantedBy.issuer,
    grant,
    subjectSlot,
    target: isAsserted ? { ...resource.target, audience: provider.issuerUrl } : resource.target,
    redeemer: isAsserted ? provider.issuer : undefined,
    actor: actor && (() => actor({ agent: started.agent, taskId })),
    async parameters() {
      if (lifetimeParameter === undefined) return parameters;
      const leftMs = (await task()).deadlineAt - clock.now();
      return { ...parameters, [lifetimeParameter]: String(Math.max(1, Math.ceil(leftMs / 1000))) };
    },
  });
  return {
    ...rotation,
    key: delegationKey(id),
    unstored: new Set(),
    // Bound to the key of the token they are exchanged for; another issuer may want them bound where that one is not.
    bindsTokens: isAsserted && provider.bindsTokens && !grantedBy.bindsTokens,
    // A response that is lost is asked for again.
    journal: undefined,
    profile: { ...provider.profile, rotation: 'none', accessTokenAfterRotation: 'valid' },
    index: (record) => delegationIndex(record as ExchangedDelegation),
    prepare: () => exchange.prepare(scopes),
    exchange: (claim) => exchange.request(scopes, claim),
    orphaned: (attempt, tokens, issuedAt) =>
      takeInOrphan(runtime, tasks, { delegationId: id, attempt: attempt.id, tokens, issuedAt }),
    audit(event) {
      const about = { ...aboutDelegation(delegation), grant: grantName };
      tasks.audit(started, { ...event, ...about, type: exchangeEvent(event.type) });
    },
  };
}

const exchangeEvents: Partial<Record<AuditEventType, AuditEventType>> = {
  'refresh-claimed': 'exchange-claimed',
  'refresh-deferred': 'exchange-deferred',
  'refresh-abandoned': 'exchange-abandoned',
  'refresh-in-doubt': 'exchange-in-doubt',
  'refresh-recovered': 'exchange-recovered',
  'token-refreshed': 'token-exchanged',
};

/** What the events of a rotation are called where there is no refresh. */
function exchangeEvent(type: AuditEvent['type']): AuditEvent['type'] {
  return exchangeEvents[type] ?? type;
}
