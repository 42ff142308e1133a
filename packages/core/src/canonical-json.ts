/** JSON with the fields of every object in one order: equal data gives equal text, so that it can be hashed. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(ordered(value));
}

/** A copy with its fields in order. Faster than to have `JSON.stringify` ask about every field. */
function ordered(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('toJSON' in value && typeof value.toJSON === 'function') return ordered(value.toJSON());
  if (Array.isArray(value)) return value.map(ordered);
  return Object.fromEntries(
    Object.entries(value)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, field]) => [name, ordered(field)]),
  );
}
