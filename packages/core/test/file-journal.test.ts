import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { ConfigurationError, Secret } from '../src/index.ts';
import { type FileJournalOptions, fileJournal, type JournalProblem } from '../src/node.ts';
import { temporaryFolder } from './temporary-folder.ts';

const keys = { current: 'k', ring: { k: new Uint8Array(32).fill(7) }, hash: randomBytes(32) };
const body = new Secret('{"access_token":"canary-access","refresh_token":"canary-refresh"}');

function setUp(options: Partial<FileJournalOptions> = {}) {
  const directory = options.directory ?? join(temporaryFolder(), 'journal');
  const problems: JournalProblem[] = [];
  const onProblem = (problem: JournalProblem): void => void problems.push(problem);
  const journal = fileJournal({ keys, onProblem, ...options, directory });
  return { directory, journal, problems, pathOf: (name: string) => join(directory, name) };
}

/** Everything a person would see of a problem. */
function shown({ file, message, cause }: JournalProblem): string {
  const { stack = '' } = cause instanceof Error ? cause : {};
  return [file, message, stack].join('\n');
}

describe('a file journal', () => {
  it('gives back what was written, to a later process too, until it is erased', async () => {
    const { directory, journal, problems } = setUp();
    expect(await journal.read('one')).toBeUndefined();
    await journal.write('one', body, 'grant|1');
    const later = setUp({ directory }).journal;
    expect((await later.read('one'))?.reveal()).toBe(body.reveal());
    expect(await later.entries()).toEqual([
      { attemptId: 'one', grantKey: 'grant|1', body: expect.any(Secret) },
    ]);
    await later.erase('one');
    await later.erase('one');
    expect(await journal.read('one')).toBeUndefined();
    expect(await journal.entries()).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('names the disk: the same in every process of it, another one elsewhere', () => {
    const { directory, journal } = setUp();
    expect(setUp({ directory }).journal.host).toBe(journal.host);
    expect(setUp().journal.host).not.toBe(journal.host);
    expect(journal.host).toMatch(/^[\w-]{22}$/);
  });

  it('is private, and holds no token in the clear', async () => {
    const { directory, journal, pathOf } = setUp();
    await journal.write('one', body, 'grant|1');
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(readdirSync(directory).sort()).toEqual(['host', 'one.entry']);
    for (const name of readdirSync(directory)) {
      expect(statSync(pathOf(name)).mode & 0o777).toBe(0o600);
      expect(readFileSync(pathOf(name), 'utf8')).not.toMatch(/canary|grant/);
    }
  });

  it('keeps entries in the clear where the app says so', async () => {
    const { journal, pathOf } = setUp({ keys: 'unsealed' });
    await journal.write('one', body, 'grant|1');
    expect(readFileSync(pathOf('one.entry'), 'utf8')).toContain('canary-refresh');
    expect((await journal.read('one'))?.reveal()).toBe(body.reveal());
  });

  it('opens what an older key of the ring has sealed', async () => {
    const { directory, journal } = setUp();
    await journal.write('one', body, 'grant|1');
    const ring = { ...keys.ring, next: randomBytes(32) };
    const later = setUp({ directory, keys: { current: 'next', ring } }).journal;
    expect((await later.read('one'))?.reveal()).toBe(body.reveal());
  });

  it('finds an entry that is whole but was not renamed any more', async () => {
    const { journal, pathOf } = setUp();
    await journal.write('one', body, 'grant|1');
    renameSync(pathOf('one.entry'), pathOf('one.tmp'));
    expect(await journal.entries()).toMatchObject([{ attemptId: 'one' }]);
    expect((await journal.read('one'))?.reveal()).toBe(body.reveal());
    await journal.erase('one');
    expect(existsSync(pathOf('one.tmp'))).toBe(false);
  });

  it('leaves a file alone that is being written, and sets it aside when nobody can be at it any more', async () => {
    const { journal, pathOf, problems } = setUp();
    writeFileSync(pathOf('one.tmp'), 'v1.k.');
    expect(await journal.entries()).toEqual([]);
    expect(problems).toEqual([]);
    const longAgo = Date.now() / 1000 - 3600;
    utimesSync(pathOf('one.tmp'), longAgo, longAgo);
    expect(await journal.entries()).toEqual([]);
    expect(problems).toMatchObject([{ file: pathOf('one.tmp.set-aside') }]);
  });

  it('does not touch files that are not its own', async () => {
    const { journal, pathOf, problems } = setUp();
    writeFileSync(pathOf('notes.txt'), 'mine');
    expect(await journal.entries()).toEqual([]);
    expect(readFileSync(pathOf('notes.txt'), 'utf8')).toBe('mine');
    expect(problems).toEqual([]);
  });

  it('refuses names that lead elsewhere', async () => {
    const { journal } = setUp();
    await expect(journal.read('../one')).rejects.toThrow(/attemptId: expected/);
    await expect(journal.write('a/b', body, 'grant|1')).rejects.toThrow(/attemptId: expected/);
  });
});

describe('an entry that cannot be used is set aside and told of, never deleted:', () => {
  const damages: readonly [string, FileJournalOptions['keys'], (text: string) => string, RegExp][] =
    [
      ['torn', keys, (text) => text.slice(0, 60), /not what was sealed|its payload is/],
      ['torn to nothing', keys, () => '', /no header that is known/],
      ['torn, in the clear', 'unsealed', (text) => text.slice(0, -5), /torn, or no entry/],
      ['foreign', keys, () => 'something else', /no header that is known/],
      ['foreign, in the clear', 'unsealed', () => 'v0.[1,2]', /torn, or no entry/],
      [
        'sealed with a key that is not there',
        keys,
        (text) => text.replace('v1.k.', 'v1.gone.'),
        /key "gone", which is not in the key ring; add it as keys\.ring\.gone/,
      ],
    ];

  for (const [what, sealing, damage, message] of damages)
    it(what, async () => {
      const { journal, problems, pathOf } = setUp({ keys: sealing });
      await journal.write('one', body, 'grant|1');
      const damaged = damage(readFileSync(pathOf('one.entry'), 'utf8'));
      writeFileSync(pathOf('one.entry'), damaged);

      const thrown: unknown = await journal.read('one').catch((error: unknown) => error);
      expect(thrown).toMatchObject({ message: expect.stringMatching(message) });
      expect(problems).toMatchObject([
        { file: pathOf('one.entry.set-aside'), message: expect.stringMatching(message) },
      ]);
      expect(problems.map(shown).join()).not.toMatch(/canary/);
      expect(readFileSync(pathOf('one.entry.set-aside'), 'utf8')).toBe(damaged);
      expect(await journal.read('one')).toBeUndefined();
    });

  it('in a listing, which goes on with the others', async () => {
    const { journal, problems, pathOf } = setUp();
    await journal.write('one', body, 'grant|1');
    await journal.write('two', body, 'grant|2');
    writeFileSync(pathOf('one.entry'), 'torn');
    expect(await journal.entries()).toMatchObject([{ attemptId: 'two' }]);
    expect(problems).toHaveLength(1);
    expect(await journal.entries()).toHaveLength(1);
    expect(problems).toHaveLength(1);
  });

  it('an entry that took the name of another', async () => {
    const { journal, pathOf } = setUp();
    await journal.write('one', body, 'grant|1');
    renameSync(pathOf('one.entry'), pathOf('two.entry'));
    await expect(journal.read('two')).rejects.toThrow(/not what was sealed/);
  });

  it('and is read again once the key is there and the file has its name back', async () => {
    const { directory, journal, pathOf } = setUp();
    await journal.write('one', body, 'grant|1');
    const other = setUp({ directory, keys: { current: 'k', ring: { k: randomBytes(32) } } });
    await expect(other.journal.read('one')).rejects.toThrow(
      /not what was sealed with key "k".*give it its old name again/,
    );
    renameSync(pathOf('one.entry.set-aside'), pathOf('one.entry'));
    expect((await journal.read('one'))?.reveal()).toBe(body.reveal());
  });

  it('also by a listing: the first reading after that says so, the next one finds nothing', async () => {
    const { directory, journal, pathOf } = setUp();
    await journal.write('one', body, 'grant|1');
    writeFileSync(pathOf('one.entry'), 'torn');
    await journal.entries();
    const later = setUp({ directory }).journal;
    await expect(later.read('one')).rejects.toThrow(/one\.entry was set aside/);
    expect(await later.read('one')).toBeUndefined();
  });

  it('with a line on the console where nobody listens, or the listener throws', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const directory = join(temporaryFolder(), 'journal');
    const silent = fileJournal({ directory, keys });
    writeFileSync(join(directory, 'one.entry'), 'torn');
    await silent.entries();
    const { journal, pathOf } = setUp({
      directory,
      onProblem: () => {
        throw new Error('bug');
      },
    });
    writeFileSync(pathOf('two.entry'), 'torn');
    await journal.entries();
    expect(warn.mock.calls.map(([line]) => line)).toEqual([
      expect.stringContaining('one.entry was set aside'),
      expect.stringContaining('two.entry was set aside'),
    ]);
  });
});

describe('a file journal that cannot work says so when it is made:', () => {
  const refusal = (options: unknown): unknown => {
    try {
      return fileJournal(options as FileJournalOptions);
    } catch (error) {
      return error;
    }
  };

  it('a wrong option', () => {
    for (const [options, path] of [
      [{ keys }, 'directory'],
      [{ directory: '', keys }, 'directory'],
      [{ directory: 'x' }, 'keys'],
      [{ directory: 'x', keys: 'sealed' }, 'keys'],
      [{ directory: 'x', keys: { current: 'k', ring: {} } }, 'keys.ring.k'],
      [{ directory: 'x', keys, onProblem: 1 }, 'onProblem'],
      [{ directory: 'x', keys, folder: 'y' }, 'folder'],
    ] as const) {
      const error = refusal(options);
      expect(error).toBeInstanceOf(ConfigurationError);
      expect(error).toMatchObject({ paths: [path] });
    }
  });

  it('a directory that others may enter', () => {
    const directory = temporaryFolder();
    chmodSync(directory, 0o755);
    expect(refusal({ directory, keys })).toMatchObject({
      paths: ['directory'],
      message: expect.stringMatching(/nobody else may enter \(chmod 700\).*mode 755/),
    });
  });

  it('a directory that is a file', () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    expect(refusal({ directory: file, keys })).toMatchObject({ paths: ['directory'] });
  });

  it('a directory whose name of the disk is damaged', () => {
    const { directory, pathOf } = setUp();
    writeFileSync(pathOf('host'), 'x');
    expect(refusal({ directory, keys })).toMatchObject({
      message: expect.stringMatching(/host, which holds no id/),
    });
    expect(readFileSync(pathOf('host'), 'utf8')).toBe('x');
  });
});
