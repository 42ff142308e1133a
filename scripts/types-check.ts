// Compiles the type tests of the adapters as their users would: against the declarations that are published, with every
// version of the framework and every TypeScript that we support. Needs `pnpm build`.
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { peerVersions } from '../test/peer-ranges/peer-versions.ts';
import { packageEntries } from './package-entries.ts';

/** Aliases in the root's devDependencies; the workspace itself compiles with the last. */
const compilers = ['typescript-5.9', 'typescript-6', 'typescript'];

/** Under `test`, which depends on everything that a type test imports; a dot keeps it out of all other checks. */
const folder = 'test/.types';

interface Compilation {
  readonly title: string;
  readonly project: string;
  readonly compiler: string;
}

/** A program with one version of the framework. */
interface Program {
  readonly name: string;
  readonly adapter: string;
  /** What imports say, and which package they mean. */
  readonly packages: Readonly<Record<string, string>>;
  /** The folder of who has these packages. */
  readonly from: string;
}

const programs: readonly Program[] = peerVersions.flatMap(
  ({ name, adapter, packages, from }, index) => {
    const isFirst = peerVersions.findIndex((other) => other.adapter === adapter) === index;
    const [framework = ''] = Object.keys(packages);
    const newest = { name: framework, adapter, packages: {}, from: join('packages', adapter) };
    return [
      { name, adapter, packages, from: dirname(fileURLToPath(from)) },
      ...(isFirst ? [newest] : []),
    ];
  },
);

type Target = string | { readonly [condition: string]: Target };

/** What imports of a package mean: the declarations of each of its entries. One that leads nowhere would quietly be another version. */
function declarationsOf(
  specifier: string,
  packageFolder: string,
): readonly (readonly [string, string])[] {
  const manifest: { readonly exports: Readonly<Record<string, Target>> } = JSON.parse(
    readFileSync(join(packageFolder, 'package.json'), 'utf8'),
  );
  return Object.entries(manifest.exports).flatMap(([subpath, target]) => {
    const types = typesOf(target);
    return types === undefined || types.includes('*')
      ? []
      : [[join(specifier, subpath), existing(join(packageFolder, types))] as const];
  });
}

/** The declarations of an entry, as `import` finds them. */
function typesOf(target: Target | undefined): string | undefined {
  if (typeof target !== 'object') return undefined;
  const { types } = target;
  return typeof types === 'string'
    ? types
    : (typesOf(target['import']) ?? typesOf(target['default']));
}

function existing(file: string): string {
  if (!existsSync(file)) throw new Error(`${file} does not exist; run \`pnpm build\``);
  return file;
}

/** The type tests of an adapter, with the imports that its users write instead of those of its source. */
function typeTests(adapter: string): ReadonlyMap<string, string> {
  const { name, exports } = JSON.parse(readFileSync(`packages/${adapter}/package.json`, 'utf8'));
  const sources: readonly (readonly [string, string])[] = Object.entries(exports);
  return new Map(
    globSync(`packages/${adapter}/test/*.test-d.ts`).map((file) => {
      let text = readFileSync(file, 'utf8');
      for (const [subpath, source] of sources)
        text = text.replaceAll(`'.${source}'`, `'${join(name, subpath)}'`);
      if (text.includes("'../src/")) throw new Error(`${file} imports what is not published`);
      return [basename(file), text];
    }),
  );
}

function writeProject({ name: program, adapter, packages, from }: Program): string {
  const project = join(folder, program);
  const fromProject = (file: string): string[] => [relative(project, file)];
  mkdirSync(project, { recursive: true });
  for (const [name, text] of typeTests(adapter)) writeFileSync(join(project, name), text);
  const published = packageEntries().map(({ specifier, folder: packageFolder, types }) => [
    specifier,
    fromProject(existing(join(packageFolder, types))),
  ]);
  const replaced = Object.entries(packages).flatMap(([specifier, meant]) =>
    declarationsOf(specifier, join(from, 'node_modules', meant)).map(([name, file]) => [
      name,
      fromProject(file),
    ]),
  );
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({
      extends: relative(project, 'tsconfig.base.json'),
      compilerOptions: {
        noEmit: true,
        lib: ['ES2024', 'DOM', 'ESNext.Disposable'],
        paths: Object.fromEntries([...published, ...replaced]),
      },
      include: ['*.ts'],
    }),
  );
  return project;
}

/** What the compiler says, or nothing. */
function compile({ compiler, project }: Compilation): Promise<string> {
  const tsc = resolve('node_modules', compiler, 'bin', 'tsc');
  return new Promise((done) => {
    execFile(process.execPath, [tsc, '-p', project], (error, stdout, stderr) =>
      done(error === null ? '' : stdout + stderr || error.message),
    );
  });
}

rmSync(folder, { recursive: true, force: true });
const compilations: readonly Compilation[] = programs.flatMap((program) => {
  const project = writeProject(program);
  return compilers.map((compiler) => ({
    title: `${program.name} with ${compiler}`,
    project,
    compiler,
  }));
});
const waiting = [...compilations];
let failed = 0;
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const said = await compile(next);
      if (said === '') continue;
      failed += 1;
      console.error(`${next.title}:\n${said}`);
    }
  }),
);
if (failed === 0) console.log(`the type tests compile in ${compilations.length} combinations`);
else process.exitCode = 1;
