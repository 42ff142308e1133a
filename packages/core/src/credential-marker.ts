import type { Requirement } from './requirement.ts';

const marker = Symbol.for('outlive.requirement');

/** Notes on a tool what it needs. Tools are data: the mark survives a spread and needs no runtime. */
export function markRequirement<T extends object>(tool: T, requirement: Requirement): T {
  return Object.assign(tool, { [marker]: requirement });
}

/** What a tool needs, if it was given a credential. */
export function requirementOf(tool: object): Requirement | undefined {
  return (tool as { [marker]?: Requirement })[marker];
}

/** What a set of tools needs, for `startTask`. Tools without a credential need nothing. */
export function toolRequirements(
  tools: Readonly<Record<string, object>> | readonly object[],
): Requirement[] {
  return Object.values(tools).flatMap((tool) => requirementOf(tool) ?? []);
}
