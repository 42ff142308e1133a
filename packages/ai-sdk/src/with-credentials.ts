import { ConfigurationError, type Requirement, type ResourceInput } from '@outlive/core';
import type { ToolSet } from 'ai';
import type { AnyTool } from './credential-tool.ts';
import { guardedTool } from './with-credential.ts';

/**
 * Guards tools of a set, by name; the others are left as they are, and the type of the set is unchanged.
 *
 * @throws {ConfigurationError} when the set has no tool of a name, or one that is not executed by this process.
 */
export function withCredentials<
  Tools extends ToolSet,
  const Resources extends Readonly<Record<string, ResourceInput>>,
>(
  tools: Tools,
  requirements: { readonly [Name in keyof Resources]: Requirement<Resources[Name]> } & {
    readonly [Name in Exclude<keyof Resources & string, keyof Tools>]: never;
  },
): Tools {
  const guarded: ToolSet = { ...tools };
  for (const [name, requirement] of Object.entries<Requirement>(requirements)) {
    const tool = Object.hasOwn(tools, name) ? tools[name] : undefined;
    if (tool === undefined) throw noSuchTool(name, tools);
    guarded[name] = guardedTool(requirement, tool, `withCredentials: tools.${name}`) as AnyTool;
  }
  return guarded as Tools;
}

function noSuchTool(name: string, tools: object): ConfigurationError {
  return new ConfigurationError(
    `withCredentials: requirements.${name}: expected the name of a tool of the set ` +
      `(${Object.keys(tools).join(', ')}), got "${name}"`,
    [`requirements.${name}`],
  );
}
