/** In the Streams standard and in every runtime, but not yet in TypeScript's library for browsers. */
// biome-ignore lint/suspicious/noExplicitAny: an interface is merged only with the same type parameters.
interface Transformer<I = any, O = any> {
  cancel?(reason: unknown): void | PromiseLike<void>;
}
