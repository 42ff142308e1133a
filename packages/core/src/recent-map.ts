/** A map that forgets what was not used for longest, once it holds more than its limit. */
export interface RecentMap<Key, Value> {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): void;
}

/** Makes a {@link RecentMap} of at most `limit` entries. */
export function createRecentMap<Key, Value>(limit: number): RecentMap<Key, Value> {
  // A Map iterates in the order of insertion: putting an entry back makes it the newest.
  const entries = new Map<Key, Value>();
  return {
    get(key) {
      const value = entries.get(key);
      if (value === undefined) return undefined;
      entries.delete(key);
      entries.set(key, value);
      return value;
    },
    set(key, value) {
      entries.delete(key);
      entries.set(key, value);
      for (const oldest of entries.keys()) {
        if (entries.size <= limit) break;
        entries.delete(oldest);
      }
    },
  };
}
