/** What `withTask` takes as an agent: `ToolLoopAgent`, or a subclass of it. */
export interface AgentLike {
  generate(...args: never[]): PromiseLike<unknown>;
  stream(...args: never[]): PromiseLike<unknown>;
}

/** An agent, seen from the outside. */
export interface GuardedAgent {
  generate(options: object): PromiseLike<unknown>;
  stream(options: object): PromiseLike<unknown>;
}

/** Whether a target is an agent, and not one of the functions. */
export function isAgent(target: unknown): target is GuardedAgent {
  return (
    typeof target === 'object' &&
    target !== null &&
    'generate' in target &&
    typeof target.generate === 'function' &&
    'stream' in target &&
    typeof target.stream === 'function'
  );
}
