import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Unpacks a program of another Debian release with all that it depends on, libc included, so that nothing of it is installed
 * on this machine.
 *
 * @returns a folder with the program, ready to run.
 */
export async function debianProgram(
  folder: string,
  release: string,
  name: string,
): Promise<string> {
  const inside = (path: string): string => join(folder, path);
  const [lists, cache, root, programs] = ['lists', 'cache', 'root', 'programs'].map(inside);
  for (const each of [`${lists}/partial`, `${cache}/archives/partial`, `${root}`, `${programs}`])
    await mkdir(each, { recursive: true });
  await writeFile(inside('sources.list'), `deb ${await mirror()} ${release} main\n`);
  await writeFile(inside('status'), '');
  const apt = Object.entries({
    'Dir::Etc::sourcelist': inside('sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::lists': lists,
    'Dir::State::status': inside('status'),
    'Dir::Cache': cache,
    'APT::Sandbox::User': 'root',
  }).flatMap(([option, value]) => ['-o', `${option}=${value}`]);
  const limits = { maxBuffer: 2 ** 26 };
  await run('apt-get', [...apt, 'update'], limits);
  const install = ['install', '--yes', '--no-install-recommends', '--download-only', name];
  await run('apt-get', [...apt, ...install], limits);
  for (const archive of globSync(`${cache}/archives/*.deb`))
    await run('dpkg-deb', ['--extract', archive, `${root}`]);
  const program = globSync(`${root}/usr/{bin,sbin}/${name}`)[0];
  const loader = globSync(`${root}/usr/lib/*/ld-linux-*.so.*`)[0];
  if (program === undefined || loader === undefined)
    throw new Error(`Debian's package ${name} of ${release} has no such program`);
  // With its own loader and libraries: those of this machine are older.
  const libraries = join(loader, '..');
  const script = `#!/bin/sh\nexec ${loader} --library-path ${libraries} ${program} "$@"\n`;
  await writeFile(join(`${programs}`, basename(name)), script, { mode: 0o755 });
  return `${programs}`;
}

/** Where this machine gets its own release from. */
async function mirror(): Promise<string> {
  const files = globSync('/etc/apt/{sources.list,sources.list.d/debian*}');
  for (const file of files) {
    const found = /^(?:URIs:|deb(?: \[.*\])?) +(\S+\/debian)\/?(?: |$)/m.exec(
      await readFile(file, 'utf8'),
    );
    if (found?.[1] !== undefined) return found[1];
  }
  throw new Error('this machine does not say where it gets Debian packages from');
}
