import { ConfigurationError } from './errors.ts';
import type { KeyedHash } from './keyed-hash.ts';
import { recordKey } from './record-key.ts';
import type { Records } from './records.ts';

/** What a store remembers of the keys it was made with. */
interface InstallationRecord {
  /** Keyed hash of a constant: another key gives another one. */
  readonly hashCheck: string;
}

/**
 * Notices a wrong `keys.hash`. Records are found by names that are made with it, so under another key every grant
 * would seem to be missing, and importing them again would leave two of each.
 */
export class Installation {
  readonly #records: Records;
  readonly #keyedHash: KeyedHash;
  #checked: Promise<void> | undefined;

  constructor(records: Records, keyedHash: KeyedHash) {
    this.#records = records;
    this.#keyedHash = keyedHash;
  }

  /**
   * Asked before names are made; reads the store once per process.
   *
   * @throws {ConfigurationError} naming `keys.hash` when this store was made with another key.
   * @throws {SealingError} when it was sealed with keys that are not in the ring.
   */
  check(): Promise<void> {
    this.#checked ??= this.#compare().catch((error: unknown) => {
      this.#checked = undefined;
      throw error;
    });
    return this.#checked;
  }

  async #compare(): Promise<void> {
    const key = recordKey('installation', undefined, 'keys');
    const hashCheck = await this.#keyedHash.hash('match', 'installation');
    for (;;) {
      const found = await this.#records.get<InstallationRecord>(key);
      if (found?.value.hashCheck === hashCheck) return;
      if (found !== undefined)
        throw new ConfigurationError(
          'keys.hash: expected the key that this store was made with; got another one',
          ['keys.hash'],
        );
      const value: InstallationRecord = { hashCheck };
      if (await this.#records.swap(key, 0, value, { kind: 'installation' })) return;
    }
  }
}
