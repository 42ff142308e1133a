/**
 * What of the core needs Node: a journal and an audit file on the disk of this host.
 *
 * @packageDocumentation
 */

export { fileJournal } from './node/file-journal.ts';
export type { FileJournalOptions, JournalProblem } from './node/file-journal-options.ts';
export type { FileSinkOptions } from './node/file-sink.ts';
export { fileSink } from './node/file-sink.ts';
