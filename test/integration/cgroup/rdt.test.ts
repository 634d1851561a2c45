/** Resctrl groups on a tree of plain files: no test machine has the hardware. The test does the kernel's part. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { OpFailed } from '../../../src/container/failure/op-failed.js';
import { applyRdt, difference, type RdtOp, removeRdt } from '../../../src/container/launch/handlers/rdt-handler.js';
import { resctrlMount } from '../../../src/container/launch/read-host-facts.js';
import { setSchemata, withClass } from '../../../src/container/update/update-rdt.js';
import type { RuntError } from '../../../src/sys/error.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { needing, onBed } from '../bed/bed.js';

useNodeHost([]);
const test = needing('rdt', 'root');

/** A root with one class, `gold`. */
function tree(): string {
  const root = mkdtempSync(join(tmpdir(), 'runt-resctrl-'));
  for (const dir of ['info', 'gold', 'gold/mon_groups']) mkdirSync(join(root, dir));
  writeFileSync(join(root, 'info/last_cmd_status'), 'ok\n');
  writeFileSync(join(root, 'gold/tasks'), '');
  writeFileSync(join(root, 'gold/schemata'), '    L3:0=7f0;1=01f\n    MB:0=20;1=70\n');
  return root;
}

const group = (path: string, make: 'new' | 'there' | 'either', schemata: string[] = []): RdtOp => ({
  op: 'rdtGroup',
  at: '/linux/intelRdt',
  path,
  make,
  schemata,
});

const failing = (op: RdtOp): OpFailed['failed'] => {
  try {
    applyRdt(op, 7, []);
  } catch (error) {
    if (error instanceof OpFailed) return error.failed;
    throw error;
  }
  throw new Error('it did not fail');
};

/** Runs a test's body on a tree of its own. */
const onTree = (body: (root: string) => void) => () => {
  const root = tree();
  try {
    body(root);
  } finally {
    rmSync(root, { recursive: true });
  }
};

test(
  'a new class is made with its schemata in one write, and the process joins it and its monitoring group',
  onTree((root) => {
    const made: string[] = [];
    const [own, monitor] = [join(root, 'c1'), join(root, 'c1/mon_groups/c1')];
    applyRdt(group(own, 'new', ['L3:0=7f', 'MB:0=20']), 7, made);
    assert.is(readFileSync(join(own, 'schemata'), 'utf8'), 'L3:0=7f\nMB:0=20\n');
    mkdirSync(join(own, 'mon_groups'));
    applyRdt({ op: 'rdtMonitor', at: '', path: monitor }, 7, made);
    applyRdt({ op: 'rdtAssign', at: '', paths: [own, monitor] }, 4711, made);
    for (const dir of [own, monitor]) assert.is(readFileSync(join(dir, 'tasks'), 'utf8'), '4711\n');
    assert.equal(made, [monitor, own], 'in the order in which they can be removed');
    // The kernel removes these files with their directory.
    for (const file of ['tasks', 'schemata', 'mon_groups/c1/tasks']) unlinkSync(join(own, file));
    assert.throws(() => removeRdt([own]), /remove the resctrl group .*ENOTEMPTY/);
    removeRdt([monitor, join(own, 'mon_groups'), own]);
    removeRdt([own]);
    assert.not(existsSync(own));
    assert.ok(existsSync(join(root, 'gold')));
  }),
);

test(
  'an existing class is used if its schemata are equal in value, and refused otherwise',
  onTree((root) => {
    const gold = join(root, 'gold');
    const made: string[] = [];
    applyRdt(group(gold, 'there'), 7, made);
    applyRdt(group(gold, 'either', ['L3:0=07F0;1=1f', 'MB: 0=20']), 7, made);
    assert.equal(made, [], 'it is not ours to remove');
    assert.match(readFileSync(join(gold, 'schemata'), 'utf8'), /^ {4}L3:0=7f0;1=01f/, 'and not written');
    const other = failing(group(gold, 'either', ['L3:0=7f0;1=3f']));
    assert.is(other.detail, 'L3:1 is 1f, not 3f');
    assert.is(failing(group(gold, 'new')).errno, 17);
    assert.is(failing(group(join(root, 'none'), 'there')).errno, 2);
  }),
);

test(
  'the error contains the text of last_cmd_status',
  onTree((root) => {
    writeFileSync(join(root, 'info/last_cmd_status'), 'Mask f00000 out of range\n');
    mkdirSync(join(root, 'c1'));
    mkdirSync(join(root, 'c1/tasks'));
    assert.is(failing({ op: 'rdtAssign', at: '', paths: [join(root, 'c1')] }).detail, 'Mask f00000 out of range');
  }),
);

test(
  'update --l3-cache-schema --mem-bw-schema writes all lines at once, and its undo restores the old ones',
  onTree((root) => {
    const [gold, file] = [join(root, 'gold'), join(root, 'gold/schemata')];
    for (const name of ['L3', 'MB']) mkdirSync(join(root, 'info', name));
    const before = readFileSync(file, 'utf8');
    const set = (schemas: Parameters<typeof setSchemata>[3]) => {
      writeFileSync(file, before);
      const undo = setSchemata('c1', root, gold, schemas);
      // A kernel file takes the content of one write; a plain file keeps old bytes behind it.
      const text = readFileSync(file, 'utf8');
      writeFileSync(file, '');
      undo();
      assert.is(readFileSync(file, 'utf8'), before);
      return text;
    };
    assert.match(set({ l3CacheSchema: 'L3:0=f;1=f' }), /^L3:0=f;1=f\n/);
    assert.match(set({ memBwSchema: 'MB:0=50' }), /^MB:0=50\n/);
    assert.match(set({ l3CacheSchema: 'L3:0=3\nMB:0=9', memBwSchema: 'MB:0=50' }), /^L3:0=3\nMB:0=50\n/);
  }),
);

test(
  'update names a feature that the CPU lacks, a missing group, and a schema that the kernel refuses',
  onTree((root) => {
    const gold = join(root, 'gold');
    const fault = (path: string, schemas: Parameters<typeof setSchemata>[3]): RuntError => {
      try {
        setSchemata('c1', root, path, schemas);
      } catch (error) {
        return error as RuntError;
      }
      throw new Error('it did not fail');
    };
    mkdirSync(join(root, 'info/L3CODE'));
    assert.match(
      fault(gold, { memBwSchema: 'MB:0=5' }).message,
      /update c1: MB:0=5: .*no allocation of memory bandwidth/,
    );
    const gone = fault(join(root, 'none'), { l3CacheSchema: 'L3:0=f' });
    assert.equal([gone.code, gone.errno, gone.path], ['ERR_RDT', 2, join(root, 'none/schemata')]);
    assert.match(gone.hint ?? '', /was removed/);
    writeFileSync(join(root, 'info/last_cmd_status'), 'Mask f00000 out of range\n');
    rmSync(join(gold, 'schemata'));
    // A kernel file that accepts only numbers.
    symlinkSync('/proc/self/oom_score_adj', join(gold, 'schemata'));
    const refused = fault(gold, { l3CacheSchema: 'L3:0=f' });
    assert.match(refused.message, 'update c1: write L3:0=f (Mask f00000 out of range): EINVAL');
    assert.match(refused.hint ?? '', /^correct the schema/);
    assert.throws(() => withClass('c1', { ociVersion: '1.3.0' }), /c1: the container has no resctrl group/);
  }),
);

test('schemata are compared domain by domain', () => {
  const there = 'L3:0=f;1=f\nMB:0=100\n';
  assert.is(difference(['L3:1=f'], there), '');
  assert.is(difference(['L3:2=f'], there), 'L3:2 is not there, not f');
  assert.is(difference(['MB:0=10'], there), 'MB:0 is 100, not 10');
});

test('resctrlMount finds the mount point in mountinfo', () => {
  const other = '36 35 98:0 / /mnt rw shared:1 - ext4 /dev/root rw\n';
  assert.is(resctrlMount(other), '');
  const line = '52 23 0:43 / /sys/fs/my\\040resctrl rw,relatime shared:9 - resctrl resctrl rw,mba_MBps\n';
  assert.is(resctrlMount(other + line + other), '/sys/fs/my resctrl');
});

test(
  'without a resctrl file system, intelRdt is refused by name before anything is made',
  onBed((bed) => {
    if (resctrlMount(readFileSync('/proc/self/mountinfo', 'utf8')) !== '') return;
    bed.config.linux.intelRdt = { l3CacheSchema: 'L3:0=f' };
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /no resctrl file system[\s\S]*\/linux\/intelRdt[\s\S]*CONFIG_X86_CPU_RESCTRL/);
    delete bed.config.linux.intelRdt;
    bed.started();
    for (const flag of ['--l3-cache-schema=L3:0=f', '--mem-bw-schema=MB:0=20']) {
      const { code, stderr } = bed.runt(['update', flag, '--pids-limit', '77', bed.id]);
      assert.is(code, 1);
      assert.match(stderr, new RegExp(`update ${bed.id}: Intel RDT: the host has no resctrl file system`));
    }
    bed.delete('--force');
  }),
);

test.run();
