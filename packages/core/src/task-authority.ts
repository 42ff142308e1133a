import { type DelegationStrategyName, delegatedSlot, isExchange } from './delegation.ts';
import { AuthError } from './errors.ts';
import { exchangedTokens } from './exchanged-tokens.ts';
import { type AccessTokenSlot, isOver, type SlotSpec } from './grant-record.ts';
import type { SwitchScope } from './kill-switches.ts';
import { tooShortLived } from './refresher.ts';
import { authErrorOf } from './refusal.ts';
import { type Requirement, resourceName } from './requirement.ts';
import type { ProtectedResource, Runtime } from './runtime.ts';
import type { TaskAuthority as Authority } from './task-record.ts';
import type { TaskCell, Tasks } from './tasks.ts';
import type { TokenRequest, TokenSource } from './token-source.ts';
import type { SubjectCell } from './user-state.ts';
import { denialOf } from './verdict.ts';

/** What a requirement means for one task: which resource, which source of tokens, which slot. */
export interface Binding {
  readonly requirement: Requirement;
  readonly resource: ProtectedResource;
  readonly source: TokenSource;
  readonly slot: SlotSpec;
  readonly switches: SwitchScope;
}

/** Gives a task its access tokens: none while it is paused, ended, out of time, or its principal is stopped. */
export class TaskAuthority {
  readonly #runtime: Runtime;
  readonly #tasks: Tasks;
  readonly #cell: TaskCell;
  readonly #subject: SubjectCell;
  /** The one asked for last: a tool mostly asks for the same again, and that is faster than the map. */
  #last: Binding | undefined;
  /** All of them, once there is more than one. */
  #bindings: WeakMap<Requirement, Binding> | undefined;

  constructor(runtime: Runtime, tasks: Tasks, cell: TaskCell) {
    this.#runtime = runtime;
    this.#tasks = tasks;
    this.#cell = cell;
    const { principal, subject } = cell.current.value;
    this.#subject = runtime.userStates.cell(principal, subject);
  }

  /** The token for `requirement` if it can be had without waiting. No I/O: every tool call comes through here. */
  peek(requirement: Requirement): AccessTokenSlot | undefined {
    const binding = this.#known(requirement);
    if (binding === undefined) return undefined;
    this.#last = binding;
    const now = this.#runtime.clock.now();
    if (!this.#isOpen(now) || this.#runtime.killSwitches.blocks(binding.switches)) return undefined;
    return binding.source.peek(binding.slot, now);
  }

  /** Whether tokens may be handed out as far as this process knows: task, person, deadline, and how lately it listened. */
  #isOpen(now: number): boolean {
    const { current, stale, deadlineAt } = this.#cell;
    return (
      this.#runtime.audit.obstacle === undefined &&
      !stale &&
      current.value.status === 'active' &&
      this.#subject.verdict.state === 'active' &&
      now < deadlineAt &&
      now < this.#subject.trustedUntil &&
      this.#runtime.feed.isTrusted(now) &&
      this.#isBelieved()
    );
  }

  /** What is known of task and person mostly outlasts what the feed may be believed, and then no clock need be read. */
  #isBelieved(): boolean {
    const { feed, clock, killSwitches } = this.#runtime;
    const untilMs = Math.min(
      this.#subject.trustedUntilMs,
      this.#cell.believedUntilMs,
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
    await this.ensureActive();
    const { source, slot, switches } = await this.bind(requirement);
    await this.#ensureReleased(switches);
    // A resource that refuses a token may know before the gate's last answer is due that the person was stopped. A
    // refresh on that answer would have the issuer refuse the grant for good.
    if (request.rejectedGeneration !== undefined)
      this.#runtime.userStates.distrust(this.#cell.current.value.subject);
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
      const isReleased = !this.#runtime.killSwitches.blocks(switches);
      if (isReleased && this.#isOpen(this.#runtime.clock.now())) return token;
      // The wait may have been long: a pause or a revocation that came meanwhile holds.
      await this.ensureActive();
      await this.#ensureReleased(switches);
      await this.#ensureSubject(requirement);
      // And so may this one have been, for longer than the token lives: once more.
      if (!isOver(token, this.#runtime.clock.now())) return token;
      if (outlived) throw tooShortLived();
    }
  }

  /**
   * Why there will be no token for `requirement`, if that is known: asks for what this process cannot be sure of, and
   * mints nothing. What passes by itself may have passed when the call is made, and does not count.
   */
  async lacking(requirement: Requirement): Promise<AuthError | undefined> {
    try {
      const { source, slot, switches } = await this.bind(requirement);
      await this.#ensureReleased(switches);
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
  async bind(requirement: Requirement): Promise<Binding> {
    const known = this.#known(requirement);
    if (known !== undefined) return known;
    const { resources } = this.#runtime;
    const { value: task } = this.#cell.current;
    const name = resourceName(requirement);
    const resource = resources.get(name);
    const authority = task.authorities.find((given) => given.resource === name);
    const missing = missingScopes(requirement, authority);
    if (resource === undefined || authority === undefined || missing.length > 0)
      throw new AuthError('insufficient_scope', {
        reason: `the task has no ${missing.join(' ')} at ${name}`,
      });
    const delegation = this.#runtime.providers.get(authority.provider)?.delegation ?? 'shared';
    const tokens = isExchange(delegation)
      ? await exchangedTokens(this.#runtime, this.#tasks, authority.delegationId)
      : await this.#tokensOfGrant(delegation, authority, resource);
    const switches = {
      agent: task.agent,
      tenant: task.principal.tenant,
      provider: authority.provider,
    };
    const binding = { requirement, resource, switches, ...tokens };
    this.#remember(binding);
    return binding;
  }

  async #tokensOfGrant(
    delegation: DelegationStrategyName,
    { provider, delegationId, scopes }: Authority,
    { indicator }: ProtectedResource,
  ): Promise<Pick<Binding, 'source' | 'slot'>> {
    const { principal, account } = this.#cell.current.value;
    const { source } = await this.#runtime.grants.source({ provider, principal, account });
    return { source, slot: delegatedSlot(delegation, { id: delegationId, scopes, indicator }) };
  }

  #known(requirement: Requirement): Binding | undefined {
    const last = this.#last;
    return last?.requirement === requirement ? last : this.#bindings?.get(requirement);
  }

  #remember(binding: Binding): void {
    if (this.#last !== undefined) {
      this.#bindings ??= new WeakMap([[this.#last.requirement, this.#last]]);
      this.#bindings.set(binding.requirement, binding);
    }
    this.#last = binding;
  }

  /** Asks the store where this process cannot be sure. @throws {AuthError} unless the task is active and in time. */
  async ensureActive(): Promise<void> {
    try {
      await this.#tasks.load(this.#cell.current.value.id);
      const { value: known } = this.#cell.current;
      if (known.status === 'active') await this.#tasks.expireIfDue(known);
    } catch (cause) {
      throw new AuthError('store_unavailable', { cause });
    }
    const { value: task } = this.#cell.current;
    if (task.status === 'paused') throw new AuthError('task_paused', { ref: task.pause?.id });
    if (task.status !== 'active') throw new AuthError('task_ended', { reason: task.status });
    const { obstacle } = this.#runtime.audit;
    if (obstacle !== undefined) throw new AuthError('audit_unavailable', { reason: obstacle });
  }

  /** Whether a token may be minted now; an unknown state may still use what is there, for a while. */
  async #ensureSubject(requirement: Requirement): Promise<boolean> {
    const { userStates } = this.#runtime;
    const { principal, subject } = this.#cell.current.value;
    if (!userStates.isTrusted(this.#subject))
      await userStates.check(principal, subject, 'revalidate');
    if (this.#subject.verdict.state === 'active') return true;
    if (userStates.tolerates(this.#subject, requirement.effect)) return false;
    throw denialOf(this.#subject.verdict);
  }

  /** @throws {AuthError} `stopped_by_operator` while a kill switch stops this. */
  async #ensureReleased(switches: SwitchScope): Promise<void> {
    const { killSwitches } = this.#runtime;
    const stopped = await killSwitches.check(switches).catch((cause: unknown) => {
      throw new AuthError('store_unavailable', { cause });
    });
    if (stopped !== undefined) throw denialOf(stopped);
  }
}

function missingScopes(requirement: Requirement, authority: Authority | undefined): string[] {
  return requirement.scopes.filter((scope) => !authority?.scopes.includes(scope));
}
