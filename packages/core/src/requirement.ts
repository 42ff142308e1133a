import type { ResourceInput, ScopeOf } from './resource.ts';

/** What a call can undo. It decides who must confirm after an authorization failure, and how a lost outcome is treated. */
export type Effect = 'read' | 'reversible' | 'irreversible';

/** What a tool declares it needs. */
export interface Requirement<R extends ResourceInput = ResourceInput> {
  readonly resource: R;
  readonly scopes: readonly ScopeOf<NoInfer<R>>[];
  readonly effect: Effect;
}

/** The name of the resource a requirement asks for. */
export function resourceName(requirement: Requirement): string {
  return typeof requirement.resource === 'string'
    ? requirement.resource
    : requirement.resource.name;
}
