/** Every field of an operation is read by the C of runt-init or by a handler of the runtime. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { FieldType } from '../../src/plan/op-shape.js';
import { ops } from '../../src/plan/plan-ops.js';

/** The text of all files below a directory with this ending. */
const sources = (directory: string, ending: string): string =>
  (readdirSync(directory, { recursive: true }) as string[])
    .filter((file) => file.endsWith(ending) && !file.startsWith('fuzz'))
    .map((file) => readFileSync(join(directory, file), 'utf8'))
    .join('\n');

/** mountFs → MOUNT_FS, as hack/gen.mjs names the fields. */
const upper = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c}`).toUpperCase();

const fieldsOf = (by: 'init' | 'runtime'): [op: string, field: string, type: FieldType][] =>
  Object.entries(ops)
    .filter(([, shape]) => shape.by === by)
    .flatMap(([op, shape]) =>
      Object.entries(shape.fields).map(([field, type]): [string, string, FieldType] => [op, field, type]),
    );

/** Values that the runtime takes from the record and the config; the plan has them only to be shown. */
const shown = ['initProcess.pid', 'initProcess.startTime', 'hostHook.timeout'];

test('the C of runt-init reads every field of the wire format, and no note', () => {
  const text = sources('native/init', '.c');
  for (const [op, field, type] of fieldsOf('init')) {
    const name = `${upper(op)}_${upper(field)}`;
    assert.is(new RegExp(`\\b${name}\\b`).test(text), type !== 'note', name);
  }
});

test('the runtime reads every field of its operations', () => {
  const text = sources('src/container', '.ts');
  // As op.FIELD, or destructured from an operation.
  const isRead = (field: string): boolean =>
    new RegExp(
      `\\bop\\.${field}\\b|\\{[^{}]*\\b${field}\\b[^{}]*\\}(?: = op\\b|: (?:Pick<)?(?:OpOf|Extract|\\w+Op)\\b)`,
    ).test(text);
  const unread = fieldsOf('runtime').flatMap(([op, field]) => (isRead(field) ? [] : [`${op}.${field}`]));
  assert.equal(unread, shown);
});

test.run();
