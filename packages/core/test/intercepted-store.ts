import type { RecordIndex, Store } from '../src/store.ts';

/** One operation of a store, as the runtime asked for it. */
export interface StoreCall {
  readonly operation:
    | 'get'
    | 'compareAndSwap'
    | 'list'
    | 'append'
    | 'read'
    | 'last'
    | 'forget'
    | 'trim';
  /** Key, stream, or the kind that is listed. */
  readonly key: string;
  readonly index?: RecordIndex;
  /** What is to be written. */
  readonly value?: string | null;
  /** What is to be appended. */
  readonly values?: readonly string[];
}

/** Stands between the runtime and the store: lets the call proceed, or delays it, or loses it. */
export type Intercept = <T>(call: StoreCall, proceed: () => Promise<T>) => Promise<T>;

/** A real store whose every operation a test can count and tamper with. */
export interface InterceptedStore extends Store {
  readonly calls: readonly StoreCall[];
  /** The newest interceptor is asked first. */
  intercept(with_: Intercept): Disposable;
}

export function interceptedStore(inner: Store): InterceptedStore {
  const calls: StoreCall[] = [];
  const interceptors: Intercept[] = [];

  function run<T>(call: StoreCall, proceed: () => Promise<T>): Promise<T> {
    calls.push(call);
    return interceptors.reduce<() => Promise<T>>(
      (next, intercept) => () => intercept(call, next),
      proceed,
    )();
  }

  return {
    ...(inner.ephemeral === undefined ? {} : { ephemeral: inner.ephemeral }),
    calls,
    intercept(with_) {
      interceptors.push(with_);
      return {
        [Symbol.dispose]: () => void interceptors.splice(interceptors.indexOf(with_), 1),
      };
    },
    get: (key) => run({ operation: 'get', key }, () => inner.get(key)),
    compareAndSwap: (key, expectedVersion, value, index) =>
      run({ operation: 'compareAndSwap', key, index, value }, () =>
        inner.compareAndSwap(key, expectedVersion, value, index),
      ),
    async *list(query) {
      yield* await run({ operation: 'list', key: query.kind }, async () => inner.list(query));
    },
    append: (stream, expectedSequence, values) =>
      run({ operation: 'append', key: stream, values }, () =>
        inner.append(stream, expectedSequence, values),
      ),
    async *read(stream, fromSequence) {
      yield* await run({ operation: 'read', key: stream }, async () =>
        inner.read(stream, fromSequence),
      );
    },
    last: (stream) => run({ operation: 'last', key: stream }, () => inner.last(stream)),
    forget: (key, version) => run({ operation: 'forget', key }, () => inner.forget(key, version)),
    trim: (stream, fromSequence) =>
      run({ operation: 'trim', key: stream }, () => inner.trim(stream, fromSequence)),
    ...(inner.watch === undefined
      ? {}
      : { watch: (target, wake) => inner.watch?.(target, wake) ?? { [Symbol.dispose]() {} } }),
    close: () => inner.close(),
  };
}

/** Fails the swaps that `which` names, before or after the store has done them, `times` times. */
export function failSwaps(
  store: InterceptedStore,
  which: (index: RecordIndex) => boolean,
  failure: { readonly when: 'before' | 'after'; readonly times: number },
): { readonly failed: number } & Disposable {
  let failed = 0;
  const interception = store.intercept(async (call, proceed) => {
    const hit =
      call.operation === 'compareAndSwap' && call.index !== undefined && which(call.index);
    if (!hit || failed >= failure.times) return proceed();
    failed += 1;
    if (failure.when === 'after') await proceed();
    throw new Error('the store is away');
  });
  return {
    get failed() {
      return failed;
    },
    [Symbol.dispose]: () => interception[Symbol.dispose](),
  };
}
