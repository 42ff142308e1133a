import { isPromiseLike } from './loop-function.ts';

/**
 * The SDK's result of a stream, of which nothing that is awaited is good before the run has ended well: its promises
 * and its streams end as the run does.
 *
 * @param ended rejects when the run did not complete.
 */
export function heldStream(stream: object, ended: Promise<unknown>): object {
  const held = (value: unknown): unknown => {
    if (isPromiseLike(value)) return heldPromise(value, ended);
    return value instanceof ReadableStream ? value.pipeThrough(heldEnd(ended)) : value;
  };
  return new Proxy(stream, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return held(value);
      return (...args: unknown[]): unknown => {
        const returned: unknown = Reflect.apply(value, target, args);
        // A response is for somebody who reads it later; only what the body awaits is held.
        return isPromiseLike(returned) ? heldPromise(returned, ended) : returned;
      };
    },
  });
}

async function heldPromise(value: PromiseLike<unknown>, ended: Promise<unknown>): Promise<unknown> {
  // Why the run did not complete says more than what the SDK then misses.
  const [settled] = await Promise.allSettled([value]);
  await ended;
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}

function heldEnd(ended: Promise<unknown>): TransformStream<unknown, unknown> {
  return new TransformStream({
    async flush() {
      await ended;
    },
  });
}
