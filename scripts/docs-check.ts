// Typechecks every ```ts fence of the Markdown files against the source, and follows their links to files, so that the
// documentation cannot rot. A fence marked ```ts continued goes on with the fence before it on the same page.
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Under `test`, which depends on everything that an example imports; a dot keeps it out of all other checks. */
const folder = 'test/.docs';

const pages = globSync(['*.md', 'docs/**/*.md', 'packages/*/README.md', 'examples/*/README.md'], {
  exclude: ['**/node_modules/**'],
}).sort();

interface Fence {
  /** Where its first line of code is, from 1. */
  readonly line: number;
  readonly continued: boolean;
  readonly code: string;
}

function fencesOf(text: string): Fence[] {
  return [...text.matchAll(/^```(?:ts|typescript)(?<mark>[^\n]*)\n(?<code>.*?)^```/gms)].map(
    ({ index, groups }) => ({
      line: text.slice(0, index).split('\n').length + 1,
      continued: groups?.['mark']?.trim() === 'continued',
      code: groups?.['code'] ?? '',
    }),
  );
}

/** A module for each example. Its lines keep the numbers they have on the page, so that an error names the place. */
function modulesOf(fences: readonly Fence[]): { readonly line: number; readonly text: string }[] {
  const modules: { line: number; text: string }[] = [];
  for (const { line, continued, code } of fences) {
    const last = modules.at(-1);
    if (continued && last === undefined) throw new Error(`line ${line}: nothing to go on with`);
    const module = continued && last !== undefined ? last : { line, text: '' };
    if (module !== last) modules.push(module);
    module.text += '\n'.repeat(line - module.text.split('\n').length) + code;
  }
  return modules;
}

/** Links to files that are not there. */
function brokenLinks(page: string, text: string): string[] {
  const targets = [...text.matchAll(/\]\((?!\w+:)(?<target>[^)#\s]+)/g)].map(
    ({ groups }) => groups?.['target'] ?? '',
  );
  return targets
    .filter((target) => !existsSync(join(dirname(page), target)))
    .map((target) => `${page}: no file ${target}`);
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
let examples = 0;
const broken: string[] = [];
for (const page of pages) {
  const content = readFileSync(page, 'utf8');
  broken.push(...brokenLinks(page, content));
  for (const { line, text } of modulesOf(fencesOf(content))) {
    writeFileSync(`${folder}/${page.replaceAll('/', '__')}.L${line}.ts`, `${text}export {};\n`);
    examples += 1;
  }
}
for (const link of broken) console.error(link);
writeFileSync(
  `${folder}/tsconfig.json`,
  JSON.stringify({
    extends: '../../tsconfig.base.json',
    compilerOptions: { noEmit: true, noUnusedLocals: false, noUnusedParameters: false },
    include: ['*.ts'],
  }),
);
const { status } = spawnSync('tsc', ['-p', folder], { stdio: 'inherit' });
if (status === 0) console.log(`${examples} examples on ${pages.length} pages compile`);
if (status !== 0 || broken.length > 0) process.exitCode = 1;
