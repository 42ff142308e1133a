import { execFile } from 'node:child_process';
import { accessSync, constants, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { getuid } from 'node:process';
import { promisify } from 'node:util';
import { environmentVariable } from './environment.ts';

const run = promisify(execFile);

/** A server program that tests need, and how to come by it. */
export interface ServerProgram {
  /** File names to look for in each folder of the PATH. */
  readonly names: readonly string[];
  /** Where to look after that, as glob patterns; the newest version wins. */
  readonly patterns?: readonly string[];
  /** The Debian package that brings it. */
  readonly debianPackage: string;
  /** The environment variable that may name a running server instead. */
  readonly variable?: string;
}

/**
 * The path of `program`, which is installed first where that is possible (Debian, as root).
 *
 * @throws Error of one line that says what to do.
 */
export async function installedProgram(program: ServerProgram): Promise<string> {
  const found = findProgram(program);
  if (found !== undefined) return found;
  const wayOut =
    (program.variable === undefined
      ? ''
      : `set ${program.variable} to a server that tests may write to, or `) +
    `install the Debian package ${program.debianPackage}`;
  if (getuid?.() !== 0 || findProgram({ names: ['apt-get'], debianPackage: 'apt' }) === undefined)
    throw new Error(`${program.names[0]} is not installed: ${wayOut}.`);
  try {
    await installOnce(program);
  } catch (cause) {
    throw new Error(`${program.names[0]} could not be installed: ${wayOut}.`, { cause });
  }
  const installed = findProgram(program);
  if (installed === undefined)
    throw new Error(`${program.debianPackage} brought no ${program.names[0]}: ${wayOut}.`);
  return installed;
}

function findProgram({ names, patterns = [] }: ServerProgram): string | undefined {
  const folders = [...(environmentVariable('PATH') ?? '').split(delimiter), '/usr/sbin'];
  const onPath = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  // Versions are numbers: 9 comes before 15.
  const elsewhere = patterns.flatMap((pattern) =>
    globSync(pattern).sort((one, other) => other.localeCompare(one, 'en', { numeric: true })),
  );
  return [...onPath, ...elsewhere].find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not there, or not a program: that is the answer.
    return false;
  }
}

/**
 * Test files run in several processes: one installs, the others wait for the lock and then find the package there.
 * The services that the packages bring are not started.
 */
async function installOnce({ debianPackage }: ServerProgram): Promise<void> {
  const script = `
    set -e
    if dpkg-query -W -f='\${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; then exit 0; fi
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      trap 'rm -f "$policy"' EXIT
      printf '#!/bin/sh\\nexit 101\\n' > "$policy"
      chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$1"
  `;
  await run('flock', ['/tmp/outlive-test-install.lock', 'sh', '-c', script, 'sh', debianPackage], {
    maxBuffer: 2 ** 26,
  });
}
