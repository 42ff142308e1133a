import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ConfigurationError } from '../errors.ts';
import { randomId } from '../random-id.ts';

const privateFile = 0o600;
const privateFolder = 0o700;
/** What nobody but the owner may do. */
const forOthers = 0o077;
const onWindows = process.platform === 'win32';

/** A private folder whose files are written whole or not at all. */
export class JournalFolder {
  readonly path: string;
  /** Random, and kept in the folder: who reads the same id looks at the same disk. */
  readonly id: string;

  /** @throws {ConfigurationError} when the folder cannot be made, or others may look into it. */
  constructor(directory: string) {
    this.path = resolve(directory);
    makePrivate(this.path);
    this.id = idOf(this.path);
  }

  names(): Promise<string[]> {
    return readdir(this.path);
  }

  /** Durable under `name` once it resolves. What is there before that is called `temporaryName`. */
  async write(temporaryName: string, name: string, text: string): Promise<void> {
    const temporary = join(this.path, temporaryName);
    try {
      const file = await open(temporary, 'wx', privateFile);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, join(this.path, name));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(this.path);
  }

  /** `undefined` when there is no such file. */
  read(name: string): Promise<string | undefined> {
    return unlessMissing(readFile(join(this.path, name), 'utf8'));
  }

  /** How long ago it was last written, ms; `undefined` when there is no such file. */
  async ageMs(name: string): Promise<number | undefined> {
    const found = await unlessMissing(stat(join(this.path, name)));
    return found && Date.now() - found.mtimeMs;
  }

  /** Answers whether there was such a file. */
  async rename(name: string, newName: string): Promise<boolean> {
    const renamed = rename(join(this.path, name), join(this.path, newName)).then(() => true);
    return (await unlessMissing(renamed)) ?? false;
  }

  remove(name: string): Promise<void> {
    return rm(join(this.path, name), { force: true });
  }
}

function makePrivate(path: string): void {
  let mode: number;
  try {
    mkdirSync(path, { recursive: true, mode: privateFolder });
    mode = statSync(path).mode;
  } catch (cause) {
    throw wrongDirectory(`expected a folder that can be made or used; got ${path}`, cause);
  }
  // Modes mean nothing on Windows: there the folder's own permissions decide.
  if (!onWindows && (mode & forOthers) !== 0)
    throw wrongDirectory(
      `expected a folder of its own that nobody else may enter (chmod 700); got ${path} with mode ${(mode & 0o777).toString(8)}`,
    );
}

function idOf(path: string): string {
  const file = join(path, 'host');
  const temporary = `${file}.${randomId()}`;
  try {
    const known = idIn(file);
    if (known !== undefined) return known;
    writeFileSync(temporary, randomId(), { mode: privateFile, flush: true });
    linkIfNew(temporary, file);
    const made = idIn(file);
    if (made !== undefined) return made;
  } catch (cause) {
    throw wrongDirectory(`expected a folder that this process may write to; got ${path}`, cause);
  } finally {
    rmSync(temporary, { force: true });
  }
  throw wrongDirectory(`expected a file that names the disk; got ${file}, which holds no id`);
}

function idIn(file: string): string | undefined {
  try {
    return /^[A-Za-z0-9_-]{22}$/.exec(readFileSync(file, 'utf8'))?.[0];
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Of processes that start together one is first, and the others take its id. */
function linkIfNew(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/** A new name lasts only when the folder is on the disk, too. */
async function syncFolder(path: string): Promise<void> {
  // Windows opens no folders; NTFS keeps a journal of names.
  if (onWindows) return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function wrongDirectory(problem: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError(`fileJournal: directory: ${problem}`, ['directory'], { cause });
}
