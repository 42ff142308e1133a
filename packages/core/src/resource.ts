/** A resource as tools see it: a name and the scopes that exist. Where it lives is the app's configuration. */
export interface Resource<Name extends string = string, Scope extends string = string> {
  readonly name: Name;
  readonly scopes: readonly Scope[];
}

/**
 * Defines a protected resource (RFC 8707) once; every requirement that names it gets its scopes completed and
 * checked by the compiler. A tools package exports it; the app adds provider and base URL in `createOutlive`.
 */
export function defineResource<const Name extends string, const Scope extends string>(resource: {
  readonly name: Name;
  readonly scopes: readonly Scope[];
}): Resource<Name, Scope> {
  return resource;
}

/**
 * Augment to let requirements name resources by string, checked by the compiler:
 * `declare module '@outlive/core' { interface Register { resources: typeof outlive.resources } }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is empty until an app augments it.
export interface Register {}

type Registered = Register extends { resources: infer Resources }
  ? Resources
  : Record<string, Resource>;

/** A resource object, or the name of a registered one. */
export type ResourceInput = Resource | (keyof Registered & string);

/** The scopes of a resource, given by object or by name. */
export type ScopeOf<R extends ResourceInput> =
  R extends Resource<string, infer Scope>
    ? Scope
    : R extends keyof Registered
      ? Registered[R] extends Resource<string, infer Scope>
        ? Scope
        : string
      : string;
