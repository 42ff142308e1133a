/**
 * What of the core needs Node: a journal on the disk of this host.
 *
 * @packageDocumentation
 */

export { fileJournal } from './node/file-journal.ts';
export type { FileJournalOptions, JournalProblem } from './node/file-journal-options.ts';
