import * as z from 'zod';
import {
  type DelegationRecord,
  delegatedSlot,
  exchangedDelegation,
  isExchange,
} from './delegation.ts';
import { recordDelegation } from './delegations.ts';
import { AuthError, ConfigurationError } from './errors.ts';
import { tellDeathOf } from './grant-death.ts';
import type { GrantRecord } from './grant-record.ts';
import type { TaskCell } from './known-tasks.ts';
import type { Principal } from './principal.ts';
import { principalId } from './principal-id.ts';
import { randomId } from './random-id.ts';
import { type Effect, type Requirement, resourceName } from './requirement.ts';
import type { ProtectedResource, Provider, Runtime } from './runtime.ts';
import type { TaskAuthority, TaskRecord } from './task-record.ts';
import type { Tasks } from './tasks.ts';
import { checked, principalSchema } from './validation.ts';
import { denialOf } from './verdict.ts';

/** What a task is given. */
export interface StartTask {
  readonly principal: Principal;
  /** Names the acting client, in the audit log and in decisions. */
  readonly agent: string;
  /** What its tools need: `toolRequirements(tools)`, or written out. The task gets their union and nothing more. */
  readonly requirements: readonly Requirement[];
  /** Expected active time, ms. The deadline is 20 % later; waiting for people does not count. */
  readonly expectedDurationMs: number;
  /** Longest life, waiting included, ms. Default: `policy.maxLifetimeMs`. */
  readonly maxLifetimeMs?: number;
  /** Which of several accounts at a provider. Default `default`. */
  readonly account?: string;
}

const positive = z.number().positive();
const startSchema = z.strictObject({
  principal: principalSchema,
  agent: z.string().min(1),
  requirements: z
    .array(
      z.looseObject({
        resource: z.union([z.string().min(1), z.looseObject({ name: z.string().min(1) })]),
        scopes: z.array(z.string().min(1)),
        effect: z.enum(['read', 'reversible', 'irreversible']),
      }),
    )
    .min(1, 'expected what the tools need; a task without requirements can do nothing'),
  expectedDurationMs: positive,
  maxLifetimeMs: positive.optional(),
  account: z.string().min(1).optional(),
});

/** How much longer than expected a task may be active. */
const deadlineFactor = 1.2;

/**
 * Starts a task: asks the gate, makes one delegation per resource, and writes the record.
 *
 * @throws {ConfigurationError} when an option is wrong.
 * @throws {AuthError} when the principal is not active, has no living grant, or has not granted the scopes.
 */
export async function startTask(
  runtime: Runtime,
  tasks: Tasks,
  options: StartTask,
): Promise<TaskCell> {
  checked(startSchema, options, 'startTask');
  const { principal, agent, expectedDurationMs } = options;
  const account = options.account ?? 'default';
  const needs = union(options.requirements).map((need) => resolve(runtime, need));

  const subject = await principalId(runtime.keyedHash, principal);
  for (const { provider } of needs) {
    const scope = { agent, tenant: principal.tenant, provider: provider.name };
    const stopped = await runtime.killSwitches.check(scope);
    if (stopped !== undefined) throw denialOf(stopped);
  }
  const verdict = await runtime.userStates.check(principal, subject, 'start');
  if (verdict.state !== 'active') throw denialOf(verdict);

  const taskId = randomId();
  const authorities: TaskAuthority[] = [];
  const delegated: { grant: string; authority: TaskAuthority }[] = [];
  const granted: (ResolvedNeed & { readonly grantKey: string })[] = [];
  for (const need of needs) {
    const reference = { provider: need.provider.grantedBy, principal, account };
    const grantKey = await runtime.grants.key(reference);
    const grant = await runtime.records.get<GrantRecord>(grantKey);
    await tellDeathOf(runtime, grantKey, grant?.value);
    assertGranted(grant?.value, need);
    granted.push({ ...need, grantKey });
  }
  // Only now: a task that is refused leaves no delegation behind.
  for (const { provider, resource, scopes, effects, grantKey } of granted) {
    const id = randomId();
    const { indicator } = resource;
    const slot = delegatedSlot(provider.delegation, { id, scopes, indicator });
    const given: DelegationRecord = {
      id,
      taskId,
      principal,
      subject,
      account,
      provider: provider.name,
      resource: resource.name,
      scopes,
      strategy: provider.delegation,
      grantKey,
      slot,
      status: 'live',
      attempts: 0,
    };
    await recordDelegation(
      runtime,
      isExchange(provider.delegation) ? exchangedDelegation(given, runtime.clock.now()) : given,
    );
    const authority = {
      resource: resource.name,
      scopes,
      effects,
      provider: provider.name,
      delegationId: id,
    };
    authorities.push(authority);
    delegated.push({ grant: await runtime.grants.auditName(grantKey), authority });
  }

  const now = runtime.clock.now();
  const record: TaskRecord = {
    id: taskId,
    principal,
    subject,
    agent,
    account,
    authorities,
    status: 'active',
    attempt: 0,
    createdAt: now,
    activeBudgetMs: expectedDurationMs * deadlineFactor,
    activeUsedMs: 0,
    activeSince: now,
    lifetimeEndsAt: now + (options.maxLifetimeMs ?? runtime.policy.maxLifetimeMs),
  };
  const cell = await tasks.create(record);
  tasks.audit(record, { type: 'task-started' });
  for (const { grant, authority } of delegated)
    tasks.audit(record, {
      type: 'delegation-minted',
      grant,
      delegationId: authority.delegationId,
      provider: authority.provider,
      resource: authority.resource,
      scopes: authority.scopes,
    });
  return cell;
}

interface Need {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly effects: readonly Effect[];
}

interface ResolvedNeed extends Need {
  readonly resource: ProtectedResource;
  readonly provider: Provider;
}

/** One need per resource: every scope and every effect that some tool asks for. */
function union(requirements: readonly Requirement[]): Need[] {
  const needs = new Map<string, { scopes: Set<string>; effects: Set<Effect> }>();
  for (const requirement of requirements) {
    const name = resourceName(requirement);
    const need = needs.get(name) ?? { scopes: new Set(), effects: new Set() };
    for (const scope of requirement.scopes) need.scopes.add(scope);
    need.effects.add(requirement.effect);
    needs.set(name, need);
  }
  return [...needs].map(([name, { scopes, effects }]) => ({
    name,
    scopes: [...scopes].toSorted(),
    effects: [...effects],
  }));
}

function resolve(runtime: Runtime, need: Need): ResolvedNeed {
  const resource = runtime.resources.get(need.name);
  const provider = resource && runtime.providers.get(resource.provider);
  if (resource === undefined || provider === undefined) {
    const known = [...runtime.resources.keys()].join(', ');
    throw new ConfigurationError(
      `startTask: requirements: resource: expected one of ${known}; got "${need.name}"`,
      ['requirements'],
    );
  }
  const unknown = need.scopes.filter((scope) => !resource.scopes.includes(scope));
  if (unknown.length > 0)
    throw new ConfigurationError(
      `startTask: requirements: scopes: expected scopes of ${need.name} (${resource.scopes.join(', ')}); got ${unknown.join(', ')}`,
      ['requirements'],
    );
  // Nothing is not narrower than the grant: a request without scopes asks for all of it (RFC 6749 section 6).
  if (need.scopes.length === 0 && provider.delegation !== 'shared')
    throw new ConfigurationError(
      `startTask: requirements: scopes: expected at least one scope of ${need.name}, since its provider narrows by scope; got none`,
      ['requirements'],
    );
  return { ...need, resource, provider };
}

/** Scopes and resource are compared with the grant before anything is sent: some issuers use up the token first and refuse then. */
function assertGranted(grant: GrantRecord | undefined, need: ResolvedNeed): void {
  if (grant === undefined)
    throw new AuthError('reauthorization_required', {
      reason: 'no_grant',
      detail: `no grant at ${need.provider.grantedBy}`,
    });
  if (grant.state.status === 'dead')
    throw new AuthError('reauthorization_required', { reason: grant.state.death });
  // What the identity provider granted says nothing about another issuer's scopes: that one decides.
  if (need.provider.delegation === 'identityAssertion') return;
  const { scopes, resources } = grant;
  const missing = scopes === undefined ? [] : need.scopes.filter((one) => !scopes.includes(one));
  if (missing.length > 0)
    throw new AuthError('insufficient_scope', {
      reason: missing.join(' '),
      detail: `the grant has ${scopes?.join(' ')}`,
    });
  const { indicator } = need.resource;
  if (indicator !== undefined && resources !== undefined && !resources.includes(indicator))
    throw new AuthError('insufficient_scope', {
      reason: `the grant does not cover the resource ${need.name}`,
    });
}
