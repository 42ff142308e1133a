// Typechecks every ```ts fence of the Markdown files, so the documentation cannot rot.
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

rmSync('temp/docs', { recursive: true, force: true });
mkdirSync('temp/docs', { recursive: true });

const pages = globSync(['*.md', 'docs/**/*.md', 'packages/*/README.md', 'examples/*/README.md'], {
  exclude: ['**/node_modules/**'],
});
let fences = 0;
for (const page of pages.sort()) {
  const text = readFileSync(page, 'utf8');
  for (const match of text.matchAll(/^```ts\n(.*?)^```/gms)) {
    const line = text.slice(0, match.index).split('\n').length;
    const name = `${page.replaceAll(/[^\w]+/g, '-')}-L${line}.ts`;
    writeFileSync(`temp/docs/${name}`, `${match[1]}\nexport {};\n`);
    fences += 1;
  }
}
writeFileSync(
  'temp/docs/tsconfig.json',
  JSON.stringify({
    extends: '../../tsconfig.base.json',
    compilerOptions: {
      noEmit: true,
      noUnusedLocals: false,
      paths: { '@outlive/*': ['../../packages/*/src/index.ts'] },
    },
    include: ['*.ts'],
  }),
);
execFileSync('tsc', ['-p', 'temp/docs'], { stdio: 'inherit' });
console.log(`${fences} code fences compile`);
