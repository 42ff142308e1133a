import { join } from 'node:path';
import type { Journal, JournalEntry } from '../journal.ts';
import { createSealer, type SealedPlace, type Sealer } from '../sealing.ts';
import { Secret } from '../secret.ts';
import {
  checkFileJournalOptions,
  type FileJournalOptions,
  type JournalProblem,
} from './file-journal-options.ts';
import { JournalFolder } from './journal-folder.ts';

/** A temporary file that is older than this belongs to no living process, ms. */
const temporaryForMs = 60_000;
const attemptName = /^[A-Za-z0-9_-]{1,64}$/;
const entryName = /^(?<attemptId>[A-Za-z0-9_-]{1,64})\.(?<kind>entry|tmp)$/;

/**
 * A journal on the disk of this host: one sealed file for each attempt, on the disk before `write` resolves, and erased
 * when the pair is in the store. Several processes may share it.
 *
 * A file that is torn, or does not open with these keys, is renamed to `*.set-aside` and told of; its holder's refresh
 * is then recovered by the next rule. Files of other names are not touched.
 *
 * @throws {ConfigurationError} when an option is wrong, or the directory cannot be used.
 */
export function fileJournal(options: FileJournalOptions): Required<Journal> {
  checkFileJournalOptions(options);
  const { keys, onProblem } = options;
  const sealer = createSealer(keys === 'unsealed' ? undefined : keys);
  return new FileJournal(new JournalFolder(options.directory), sealer, onProblem);
}

class FileJournal implements Required<Journal> {
  readonly host: string;
  readonly #folder: JournalFolder;
  readonly #sealer: Sealer;
  readonly #onProblem: (problem: JournalProblem) => void;
  readonly #unreadable = new Set<string>();
  readonly #reported = new Set<string>();

  constructor(
    folder: JournalFolder,
    sealer: Sealer,
    onProblem: FileJournalOptions['onProblem'] = printProblem,
  ) {
    this.host = folder.id;
    this.#folder = folder;
    this.#sealer = sealer;
    this.#onProblem = onProblem;
  }

  async write(attemptId: string, body: Secret, grantKey: string): Promise<void> {
    const content = JSON.stringify({ grantKey, body: body.reveal() });
    const sealed = await this.#sealer.seal(content, placeOf(attemptId));
    await this.#folder.write(temporaryOf(attemptId), entryOf(attemptId), sealed);
  }

  async read(attemptId: string): Promise<Secret | undefined> {
    // A temporary file that opens is whole: its writer died before it could rename it.
    for (const name of [entryOf(attemptId), temporaryOf(attemptId)]) {
      const text = await this.#folder.read(name);
      if (text === undefined) continue;
      try {
        return (await this.#open(attemptId, text)).body;
      } catch (cause) {
        this.#reported.add(name);
        throw new Error(await this.#putAside(name, problemOf(cause), cause), { cause });
      }
    }
    await this.#reportSetAside(attemptId);
    return undefined;
  }

  async erase(attemptId: string): Promise<void> {
    await this.#folder.remove(entryOf(attemptId));
    await this.#folder.remove(temporaryOf(attemptId));
  }

  async entries(): Promise<readonly JournalEntry[]> {
    const found: JournalEntry[] = [];
    for (const name of await this.#folder.names()) {
      const { attemptId, kind } = entryName.exec(name)?.groups ?? {};
      if (attemptId === undefined) continue;
      const entry = await this.#entry(name, attemptId, kind === 'tmp');
      if (entry !== undefined) found.push(entry);
    }
    return found;
  }

  async setAside(attemptId: string, reason: string): Promise<void> {
    for (const name of [entryOf(attemptId), temporaryOf(attemptId)])
      await this.#putAside(name, reason);
  }

  /** Whoever recovers the attempt learns once that a listing has set its entry aside: for the audit log. */
  async #reportSetAside(attemptId: string): Promise<void> {
    for (const name of [entryOf(attemptId), temporaryOf(attemptId)]) {
      if (this.#reported.has(name)) continue;
      if ((await this.#folder.ageMs(asideOf(name))) === undefined) continue;
      this.#reported.add(name);
      throw new Error(`${join(this.#folder.path, name)} was set aside as ${asideOf(name)}.`);
    }
  }

  async #entry(
    name: string,
    attemptId: string,
    temporary: boolean,
  ): Promise<JournalEntry | undefined> {
    let text: string | undefined;
    try {
      text = await this.#folder.read(name);
    } catch (cause) {
      // It keeps nobody from the others, and is told of once: each round of maintenance comes by here.
      if (!this.#unreadable.has(name))
        this.#tell(
          name,
          `${join(this.#folder.path, name)} cannot be read: ${textOf(cause)}`,
          cause,
        );
      this.#unreadable.add(name);
      return undefined;
    }
    // Its owner has erased it.
    if (text === undefined) return undefined;
    try {
      return await this.#open(attemptId, text);
    } catch (cause) {
      const ageMs = temporary ? await this.#folder.ageMs(name) : Number.POSITIVE_INFINITY;
      // A young temporary file is being written.
      if (ageMs !== undefined && ageMs > temporaryForMs)
        await this.#putAside(name, problemOf(cause), cause);
      return undefined;
    }
  }

  async #open(attemptId: string, text: string): Promise<JournalEntry> {
    const content = await this.#sealer.open(text, placeOf(attemptId));
    const { grantKey, body } = parse(content);
    if (typeof grantKey !== 'string' || typeof body !== 'string') throw new Error(notWhole);
    return { attemptId, grantKey, body: new Secret(body) };
  }

  /** Answers what was said of it. */
  async #putAside(name: string, problem: string, cause?: unknown): Promise<string> {
    const aside = asideOf(name);
    const message =
      `${join(this.#folder.path, name)} was set aside as ${aside}: ${problem} ` +
      'Once that is put right, give it its old name again; else delete it: it may hold tokens.';
    if (await this.#folder.rename(name, aside)) this.#tell(aside, message, cause);
    return message;
  }

  #tell(name: string, message: string, cause: unknown): void {
    const problem = { file: join(this.#folder.path, name), message, cause };
    try {
      this.#onProblem(problem);
    } catch (error) {
      // Recovery must not fail because the reporter does; the problem still reaches somebody.
      printProblem({ ...problem, cause: new AggregateError([cause, error]) });
    }
  }
}

const notWhole = 'it is torn, or no entry of a journal.';

/** Sealed for the journal, as this attempt's: it opens under no other name, nor as a record. */
function placeOf(attemptId: string): SealedPlace {
  return { key: `journal|${attemptId}`, version: 0, index: { kind: 'journal' } };
}

function entryOf(attemptId: string): string {
  return `${checkedName(attemptId)}.entry`;
}

function temporaryOf(attemptId: string): string {
  return `${checkedName(attemptId)}.tmp`;
}

function asideOf(name: string): string {
  return `${name}.set-aside`;
}

function checkedName(attemptId: string): string {
  if (attemptName.test(attemptId)) return attemptId;
  throw new TypeError(
    `attemptId: expected 1 to 64 letters, digits, "-" or "_"; got ${JSON.stringify(attemptId)}`,
  );
}

function parse(content: string): { readonly grantKey?: unknown; readonly body?: unknown } {
  try {
    const value: unknown = JSON.parse(content);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    // The SyntaxError quotes the content, and that holds tokens: it must not travel.
    return {};
  }
}

function problemOf(cause: unknown): string {
  const problem = textOf(cause);
  return problem.endsWith('.') ? problem : `${problem}.`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function printProblem({ message, cause }: JournalProblem): void {
  console.warn(`outlive journal: ${message}`, ...(cause === undefined ? [] : [cause]));
}
