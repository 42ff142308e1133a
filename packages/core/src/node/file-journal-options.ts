import * as z from 'zod';
import type { KeyRing } from '../key-ring.ts';
import { checked } from '../validation.ts';

/** A file of the journal that could not be used. */
export interface JournalProblem {
  /** The file as it is called now. One that was set aside still holds what it held: nothing is deleted unread. */
  readonly file: string;
  /** What is wrong and what to do, with the file's name. Holds nothing of its content. */
  readonly message: string;
  readonly cause?: unknown;
}

/** What {@link fileJournal} takes. */
export interface FileJournalOptions {
  /**
   * A folder for this journal alone, on a local disk; made with mode 0700 if it is not there. The processes of one host
   * that share a store share it. It must survive a restart to be of use.
   */
  readonly directory: string;
  /** What entries are sealed with: the same keys as for `createOutlive`. `unsealed` says out loud that tokens are kept in the clear. */
  readonly keys: KeyRing | 'unsealed';
  /** Told of each file that cannot be used. Default: a line on `console.warn`. */
  readonly onProblem?: (problem: JournalProblem) => void;
}

const fn = z.custom((value) => typeof value === 'function', 'expected a function');
const bytes = z.custom((value) => value instanceof Uint8Array, 'expected a Uint8Array');

const schema = z.strictObject({
  directory: z.string('expected a path').min(1, 'expected a path that is not empty'),
  keys: z.union(
    [
      z.literal('unsealed'),
      // As `createOutlive` takes them: the key for hashes comes along, and is not used here.
      z.strictObject({
        current: z.string(),
        ring: z.record(z.string(), bytes),
        hash: bytes.optional(),
      }),
    ],
    'expected { current, ring } or "unsealed"',
  ),
  onProblem: fn.optional(),
});

/** @throws {ConfigurationError} naming every wrong option. */
export function checkFileJournalOptions(options: FileJournalOptions): void {
  checked(schema, options, 'fileJournal');
}
