/** JSON with the fields of every object in one order: equal data gives equal text, so that it can be hashed. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(ordered(value));
}

/** A copy with its fields in order. Faster than to have `JSON.stringify` ask about every field. */
function ordered(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('toJSON' in value && typeof value.toJSON === 'function') return ordered(value.toJSON());
  if (Array.isArray(value)) return value.map(ordered);
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value).sort()) {
    const field = ordered(Reflect.get(value, name));
    if (name !== '__proto__') copy[name] = field;
    // Set, it would be no field but the prototype.
    else Object.defineProperty(copy, name, { value: field, enumerable: true });
  }
  return copy;
}
