// The code base tests itself: the laws that a reader cannot see at a glance. Each rule says what to do.
// It does not test behaviour.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const project = resolve(import.meta.dirname, '..');
const files = ['src', 'shell', 'test']
  .flatMap((folder) =>
    readdirSync(join(project, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  .filter((name) => /\.tsx?$/.test(name));
const text = (file: string) => readFileSync(join(project, file), 'utf8');
const product = files.filter((file) => !file.startsWith('test/'));

/** The line of layers, left to right; a layer that stands in one string with others may not import them. */
const layers = [
  ['errors', 'attribute', 'log'],
  ['system'],
  ['wire'],
  ['backstore'],
  ['scsi'],
  ['target'],
  ['iscsi', 'nbd'],
  ['fabric'],
  ['root'],
  ['daemon'],
];

/** What is there for the shell and for programs. */
const doors = ['src/index.ts', 'src/client.ts'];

function layerOf(file: string): number {
  const [, first = ''] = file.split('/');
  return layers.findIndex((layer) => layer.includes(first.replace(/\.ts$/, '')));
}

function imports(file: string): string[] {
  const found = [
    ...text(file).matchAll(/^(?:import|export)\b[^;]*?\bfrom '(\.[^']+)'/gms),
    ...text(file).matchAll(/\bimport\('(\.[^']+)'\)/g),
  ];
  return found.map(([, path = '']) => relative(project, resolve(project, dirname(file), path)));
}

describe('the laws', () => {
  it('a file imports only from its own layer and from layers to its left', () => {
    const wrong = files.flatMap((file) =>
      imports(file).flatMap((imported) => {
        if (file.startsWith('shell/') && imported.startsWith('src/') && !doors.includes(imported))
          return [`${file} imports ${imported}: the shell imports ${doors.join(' and ')} only`];
        if (!file.startsWith('src/') || doors.includes(file)) return [];
        if (!imported.startsWith('src/')) return [`${file} imports ${imported}: src imports src only`];
        return layerOf(imported) > layerOf(file)
          ? [`${file} imports ${imported}: a layer to its right; move what both need to the left`]
          : [];
      }),
    );
    expect(wrong).toEqual([]);
  });

  it('every file of src stands in a layer', () => {
    expect(files.filter((file) => file.startsWith('src/') && !doors.includes(file) && layerOf(file) < 0)).toEqual([]);
  });

  it('no file has more than 400 lines: split by the subject', () => {
    const long = files
      .map((file) => [file, text(file).split('\n').length - 1] as const)
      .filter(([, lines]) => lines > 400);
    expect(long).toEqual([]);
  });

  it('a file says first what lives in it', () => {
    const silent = product.filter((file) => !/^(#!.*\n)?(\/\*\*|\/\/)/.test(text(file)));
    expect(silent).toEqual([]);
  });

  it("names are the field's: no utils, helpers, managers, commons", () => {
    expect(files.filter((file) => /(util|helper|manager|common\.|base\.|misc)/i.test(file))).toEqual([]);
  });

  it('nothing is left for later', () => {
    const words = /\b(TODO|FIXME|XXX|not yet implemented)\b/;
    expect(product.filter((file) => words.test(text(file)))).toEqual([]);
  });

  it('no inheritance but from Error', () => {
    const heirs = product.flatMap((file) =>
      [...text(file).matchAll(/class \w+ extends (\w+)/g)]
        .filter(([, parent]) => parent !== 'Error')
        .map(([line]) => `${file}: ${line}`),
    );
    expect(heirs.filter((line) => !allowedHeirs.some((allowed) => line.startsWith(allowed)))).toEqual([]);
  });
});

/** Node's own stream interface can only be had by inheriting. */
const allowedHeirs = ['shell/ui/tty.ts'];
