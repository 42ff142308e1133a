import type { ConnectionOptions } from './connection-options.ts';
import type { ConnectionRecord } from './connection-record.ts';
import { ConfigurationError } from './errors.ts';
import type { PauseContext } from './pauses.ts';
import type { Principal } from './principal.ts';
import { principalId } from './principal-id.ts';
import type { Provider, Runtime } from './runtime.ts';

/** What every connection keeps of what it was started for. */
export type ConnectionBinding = Pick<
  ConnectionRecord,
  'reference' | 'scopes' | 'indicators' | 'issuerSubject' | 'pauseId'
>;

/**
 * Ties a connection to its principal, account and pause.
 *
 * @throws {ConfigurationError} when the pause is not one of this principal's, or a resource has no indicator.
 */
export async function bindConnection(
  context: PauseContext,
  what: string,
  provider: Provider,
  options: ConnectionOptions,
): Promise<ConnectionBinding> {
  const { principal, account, scopes, resources = [], issuerSubject, pauseId } = options;
  if (pauseId !== undefined && !(await isPauseOf(context, pauseId, principal)))
    throw new ConfigurationError(
      `${what}: pauseId: expected the id of a pause of a task of this principal; got another one`,
      ['pauseId'],
    );
  return {
    reference: {
      provider: provider.name,
      principal,
      ...(account === undefined ? {} : { account }),
    },
    scopes,
    indicators: resources.map((name) => indicatorOf(context.runtime, what, provider, name)),
    ...(issuerSubject === undefined ? {} : { issuerSubject }),
    ...(pauseId === undefined ? {} : { pauseId }),
  };
}

/** Whether two principals are one: same tenant, issuer and subject. */
export async function isSamePrincipal(
  { keyedHash }: Runtime,
  one: Principal,
  other: Principal,
): Promise<boolean> {
  return (await principalId(keyedHash, one)) === (await principalId(keyedHash, other));
}

/** A link for a pause works for the person it is about, whoever it was sent to; the attempt of another is audited. */
async function isPauseOf(
  { pauses, tasks, runtime }: PauseContext,
  pauseId: string,
  principal: Principal,
): Promise<boolean> {
  const pause = (await pauses.get(pauseId))?.value;
  if (pause === undefined) return false;
  const task = await pauses.taskOf(pause);
  if (await isSamePrincipal(runtime, task.principal, principal)) return true;
  tasks.audit(task, {
    type: 'decision-refused',
    pauseId,
    by: await principalId(runtime.keyedHash, principal),
    reason: 'connection refused: it was started for another person than the task acts for',
  });
  return false;
}

function indicatorOf(runtime: Runtime, what: string, provider: Provider, name: string): string {
  const resource = runtime.resources.get(name);
  if (resource?.indicator !== undefined && resource.provider === provider.name)
    return resource.indicator;
  throw new ConfigurationError(
    `${what}: resources: expected names of resources of ${provider.name} with an indicator; got "${name}"`,
    ['resources'],
  );
}
