import type { TaskContext } from './agent-run.ts';
import { delegatedSlot, isExchange } from './delegation.ts';
import { AuthError } from './errors.ts';
import { exchangedTokens } from './exchanged-tokens.ts';
import { type AccessTokenSlot, isOver, type SlotSpec } from './grant-record.ts';
import type { SwitchScope } from './kill-switches.ts';
import type { KnownAuthority, TaskCell } from './known-tasks.ts';
import { tooShortLived } from './refresher.ts';
import { authErrorOf } from './refusal.ts';
import { type Requirement, resourceName } from './requirement.ts';
import type { ProtectedResource } from './runtime.ts';
import type { TokenRequest, TokenSource } from './token-source.ts';
import type { SubjectCell } from './user-state.ts';
import { denialOf } from './verdict.ts';

/** What a requirement means for one task: which source of tokens, and which slot of it. */
interface Binding {
  readonly source: TokenSource;
  readonly slot: SlotSpec;
}

/** Gives a task its access tokens: none while it is paused, ended, out of time, or its principal is stopped. */
export class TaskAuthority {
  /** What this process knows about the task. */
  readonly cell: TaskCell;
  readonly context: TaskContext;
  readonly #subject: SubjectCell;
  /** The one asked for last, and its binding: a tool mostly asks for the same again, and that is faster than the map. */
  #requirement: Requirement | undefined;
  #source: TokenSource | undefined;
  #slot: SlotSpec | undefined;
  /** All of them, once there is more than one. */
  #bindings: WeakMap<Requirement, Binding> | undefined;

  constructor(context: TaskContext, cell: TaskCell) {
    this.cell = cell;
    this.context = context;
    this.#subject = context.runtime.userStates.cell(cell.principal, cell.subject);
  }

  /** The token for `requirement` if it can be had without waiting. No I/O: every tool call comes through here. */
  peek(requirement: Requirement): AccessTokenSlot | undefined {
    if (requirement !== this.#requirement) {
      const binding = this.#bindings?.get(requirement);
      if (binding === undefined) return undefined;
      this.#keepLast(requirement, binding);
    }
    const now = this.context.runtime.clock.now();
    if (!this.#isOpen(now) || this.#isStopped(requirement)) return undefined;
    return this.#slot && this.#source?.peek(this.#slot, now);
  }

  /** Whether tokens may be handed out as far as this process knows: task, person, deadline, and how lately it listened. */
  #isOpen(now: number): boolean {
    const { audit, feed } = this.context.runtime;
    return (
      audit.obstacle === undefined &&
      this.cell.status === 'active' &&
      this.#subject.verdict.state === 'active' &&
      now < this.cell.deadlineAt &&
      now < this.#subject.trustedUntil &&
      feed.isTrusted(now) &&
      this.#isBelieved()
    );
  }

  /** What is known of task and person mostly outlasts what the feed may be believed, and then no clock need be read. */
  #isBelieved(): boolean {
    const { feed, clock, killSwitches, userStates } = this.context.runtime;
    const untilMs = Math.min(
      userStates.trustedUntilMs(this.#subject),
      this.cell.believedUntilMs,
      killSwitches.believedUntilMs,
    );
    return untilMs >= feed.trustedUntilMs || clock.monotonicMs() < untilMs;
  }

  /**
   * The token for `requirement`, after whatever has to be waited for.
   *
   * @throws {AuthError} when the task may not have one.
   */
  async token(requirement: Requirement, request: TokenRequest = {}): Promise<AccessTokenSlot> {
    const { clock, userStates } = this.context.runtime;
    await this.ensureActive();
    const { source, slot } = await this.#bind(requirement);
    await this.#ensureReleased(requirement);
    // A resource that refuses a token may know before the gate's last answer is due that the person was stopped. A
    // refresh on that answer would have the issuer refuse the grant for good.
    if (request.rejectedGeneration !== undefined) userStates.distrust(this.cell.subject);
    const mayMint = await this.#ensureSubject(requirement);
    if (!mayMint) {
      const held = request.rejectedGeneration === undefined ? source.peek(slot) : undefined;
      if (held !== undefined) return held;
      throw denialOf(this.#subject.verdict);
    }
    // A task's own token is not minted any more for a task that ended or was paused while it queued for the grant.
    const own = slot.scopes !== undefined;
    const mayMintOwn = own ? () => this.ensureActive() : undefined;
    for (let outlived = false; ; outlived = true) {
      const token = await source.token(slot, request, mayMintOwn);
      if (this.#isOpen(clock.now()) && !this.#isStopped(requirement)) return token;
      // The wait may have been long: a pause or a revocation that came meanwhile holds.
      await this.ensureActive();
      await this.#ensureReleased(requirement);
      await this.#ensureSubject(requirement);
      // And so may this one have been, for longer than the token lives: once more.
      if (!isOver(token, clock.now())) return token;
      if (outlived) throw tooShortLived();
    }
  }

  /**
   * Why there will be no token for `requirement`, if that is known: asks for what this process cannot be sure of, and
   * mints nothing. What passes by itself may have passed when the call is made, and does not count.
   */
  async lacking(requirement: Requirement): Promise<AuthError | undefined> {
    try {
      const { source, slot } = await this.#bind(requirement);
      await this.#ensureReleased(requirement);
      await this.#ensureSubject(requirement);
      if (source.peek(slot) === undefined) await source.ensureAlive();
      // Last: that the task is paused for another call does not say what this one lacks.
      await this.ensureActive();
      return undefined;
    } catch (failure) {
      const error = authErrorOf(failure);
      return error.recovery === 'wait' ? undefined : error;
    }
  }

  /** What a requirement means here. @throws {AuthError} `insufficient_scope` when the task was not given it. */
  async #bind(requirement: Requirement): Promise<Binding> {
    const known = this.#known(requirement);
    if (known !== undefined) return known;
    const name = resourceName(requirement);
    const resource = this.context.runtime.resources.get(name);
    const authority = this.#authorityAt(name);
    const missing = missingScopes(requirement, authority);
    if (resource === undefined || authority === undefined || missing.length > 0)
      throw new AuthError('insufficient_scope', {
        reason: `the task has no ${missing.join(' ')} at ${name}`,
      });
    const binding = await this.#tokensOf(authority, resource);
    this.#remember(requirement, binding);
    return binding;
  }

  async #tokensOf(authority: KnownAuthority, resource: ProtectedResource): Promise<Binding> {
    const { runtime, tasks } = this.context;
    const { principal, account } = this.cell;
    const { provider, scopes } = authority;
    const strategy = runtime.providers.get(provider)?.delegation ?? 'shared';
    if (isExchange(strategy))
      return exchangedTokens(runtime, tasks, await this.#delegationAt(authority.resource));
    const { source } = await runtime.grants.source({ provider, principal, account });
    if (strategy === 'shared') return { source, slot: resource.slot };
    const id = await this.#delegationAt(authority.resource);
    return { source, slot: delegatedSlot(strategy, { id, scopes, indicator: resource.indicator }) };
  }

  /** By which delegation the task was given a resource: only the record says. */
  async #delegationAt(resource: string): Promise<string> {
    const { tasks } = this.context;
    const { id } = this.cell;
    const record = await tasks.read(id).catch((cause: unknown) => {
      throw new AuthError('store_unavailable', { cause });
    });
    const given = record?.authorities.find((authority) => authority.resource === resource);
    if (given === undefined) throw new AuthError('task_ended', { detail: `no task ${id}` });
    return given.delegationId;
  }

  #authorityAt(resource: string): KnownAuthority | undefined {
    return this.cell.authorities.find((given) => given.resource === resource);
  }

  #known(requirement: Requirement): Binding | undefined {
    const source = this.#source;
    const slot = this.#slot;
    if (requirement === this.#requirement && source !== undefined && slot !== undefined)
      return { source, slot };
    return this.#bindings?.get(requirement);
  }

  #remember(requirement: Requirement, binding: Binding): void {
    const earlier = this.#requirement;
    const earlierBinding = earlier && this.#known(earlier);
    if (earlier !== undefined && earlier !== requirement && earlierBinding !== undefined) {
      this.#bindings ??= new WeakMap([[earlier, earlierBinding]]);
      this.#bindings.set(requirement, binding);
    }
    this.#keepLast(requirement, binding);
  }

  #keepLast(requirement: Requirement, { source, slot }: Binding): void {
    this.#requirement = requirement;
    this.#source = source;
    this.#slot = slot;
  }

  /** Asks the store where this process cannot be sure. @throws {AuthError} unless the task is active and in time. */
  async ensureActive(): Promise<void> {
    const { runtime, tasks } = this.context;
    try {
      await tasks.load(this.cell.id);
      if (this.cell.status === 'active') await tasks.expireIfDue(this.cell);
    } catch (cause) {
      throw new AuthError('store_unavailable', { cause });
    }
    const { status, pause } = this.cell;
    if (status === 'paused') throw new AuthError('task_paused', { ref: pause?.id });
    if (status !== 'active') throw new AuthError('task_ended', { reason: status });
    const { obstacle } = runtime.audit;
    if (obstacle !== undefined) throw new AuthError('audit_unavailable', { reason: obstacle });
  }

  /** Whether a token may be minted now; an unknown state may still use what is there, for a while. */
  async #ensureSubject(requirement: Requirement): Promise<boolean> {
    const { userStates } = this.context.runtime;
    const { principal, subject } = this.cell;
    if (!userStates.isTrusted(this.#subject))
      await userStates.check(principal, subject, 'revalidate');
    if (this.#subject.verdict.state === 'active') return true;
    if (userStates.tolerates(this.#subject, requirement.effect)) return false;
    throw denialOf(this.#subject.verdict);
  }

  /** Whether a kill switch stops this, as far as this process knows. */
  #isStopped(requirement: Requirement): boolean {
    const { killSwitches } = this.context.runtime;
    return killSwitches.anyThrown && killSwitches.blocks(this.#switchesFor(requirement));
  }

  /** @throws {AuthError} `stopped_by_operator` while a kill switch stops this. */
  async #ensureReleased(requirement: Requirement): Promise<void> {
    const { killSwitches } = this.context.runtime;
    const scope = this.#switchesFor(requirement);
    const stopped = await killSwitches.check(scope).catch((cause: unknown) => {
      throw new AuthError('store_unavailable', { cause });
    });
    if (stopped !== undefined) throw denialOf(stopped);
  }

  #switchesFor(requirement: Requirement): SwitchScope {
    const { agent, principal } = this.cell;
    const provider = this.#authorityAt(resourceName(requirement))?.provider;
    return { agent, tenant: principal.tenant, ...(provider === undefined ? {} : { provider }) };
  }
}

function missingScopes(requirement: Requirement, authority: KnownAuthority | undefined): string[] {
  return requirement.scopes.filter((scope) => !authority?.scopes.includes(scope));
}
