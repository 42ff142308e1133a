import * as z from 'zod';
import type { KeyedHash } from './keyed-hash.ts';

/**
 * A person, or a session of theirs, as a directory names them. It is not the principal of a grant: which grants a
 * directory's word is about is said by links.
 */
export interface DirectorySubject {
  /** Whose name it is: the issuer identifier of the directory. */
  readonly directory: string;
  /** Kind of name, as in RFC 9493: `iss_sub`, `email`, `opaque`, `phone_number`; and `session`. */
  readonly format: string;
  /** The name itself: for `iss_sub` the subject. */
  readonly id: string;
}

const text = z.string().min(1);

/** A directory's subject as callers pass it. */
export const directorySubjectSchema: z.ZodType<DirectorySubject> = z.strictObject({
  directory: text,
  format: text,
  id: text,
});

/** Names a directory's subject where names must not be read. */
export function directorySubjectId(hash: KeyedHash, subject: DirectorySubject): Promise<string> {
  const { directory, format, id } = subject;
  return hash.hash('subject', JSON.stringify(['directory', directory, format, id]));
}
