// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Bundles the page into ../internal/page/assets, where it is embedded and committed, or into the folder that is
// named; with --test, the unit tests into node_modules/.cache/test. The same sources give the same bytes.

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));

const common = {
  absWorkingDir: here,
  bundle: true,
  charset: 'utf8',
  format: 'esm',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none', // they are in licences.txt
  logLevel: 'warning',
};

const [target = join(here, '../internal/page/assets')] = process.argv.slice(2);
await (target === '--test' ? tests() : page(resolve(target)));

async function tests() {
  const names = (await readdir(join(here, 'test'))).filter((name) => name.endsWith('.test.ts'));
  await rm(join(here, 'node_modules/.cache/test'), { recursive: true, force: true });
  await build({
    ...common,
    entryPoints: names.map((name) => 'test/' + name),
    outdir: 'node_modules/.cache/test',
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    sourcemap: 'inline',
  });
}

async function page(assets) {
  await rm(assets, { recursive: true, force: true });
  await mkdir(assets, { recursive: true });
  const result = await build({
    ...common,
    entryPoints: ['src/main.tsx', 'src/page.css', 'src/icon.svg'],
    entryNames: '[name]-[hash]',
    outdir: join(assets, 'static'),
    loader: { '.svg': 'copy' },
    define: { 'process.env.NODE_ENV': '"production"' },
    metafile: true,
    minify: true,
    target: ['es2022', 'chrome116', 'firefox124', 'safari17.4'],
  });
  // The names of the files carry hashes of their content: say them in the page.
  const names = Object.keys(result.metafile.outputs).map((path) => 'static/' + basename(path));
  const named = (start) => names.find((name) => name.startsWith('static/' + start));
  const html = await readFile(join(here, 'src/index.html'), 'utf8');
  await writeFile(
    join(assets, 'index.html'),
    html.replace('{script}', named('main-')).replace('{style}', named('page-')).replace('{icon}', named('icon-')),
  );
  await writeFile(join(assets, 'licences.txt'), await licences(Object.keys(result.metafile.inputs)));
}

// licences are those of every package of which something is in the bundle.
async function licences(inputs) {
  const packages = new Set(
    inputs.map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1]).filter(Boolean),
  );
  const texts = [];
  for (const name of [...packages].sort()) {
    const folder = join(here, 'node_modules', name);
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    const files = (await readdir(folder, { recursive: true }))
      .filter((file) => /^(licen[cs]e(?!s$)|notice|copyright)[^/]*$|^licen[cs]es\//i.test(file))
      .sort();
    if (files.length === 0) throw new Error(`${name} has no licence file`);
    const parts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
    texts.push(`${name} ${version}\n\n${parts.map((part) => part.trim()).join('\n\n')}\n`);
  }
  return (
    'The page is part of otelcol-ccaas, Apache License 2.0. It contains:\n\n' + texts.join(`\n${'-'.repeat(80)}\n\n`)
  );
}
