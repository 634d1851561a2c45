/** Device rules in any order on v2: what the filter allows mknod(2) and open(2) to do. */
import * as assert from 'uvu/assert';
import type { DeviceRule } from '../../../src/spec/config-types.js';
import { type Bed, needing, onBed } from '../bed/bed.js';

const test = needing('order of device rules', 'root', 'cgroup-v2');

/** Number 240 has no driver: open(2) fails with ENXIO if the filter allows it, else with EPERM. */
const script = `cd /dev/shm
for n in "240 64" "240 65" "241 1"; do
  set -- $n
  rm -f x; mknod x c $1 $2 2>/dev/null && m=yes || m=no
  [ -c x ] || { cp -a /dev/made-$1-$2 x; }
  r=no; ( : <x ) 2>&1 | grep -q permitted || r=yes
  w=no; ( : >x ) 2>&1 | grep -q permitted || w=yes
  b=no; ( : <>x ) 2>&1 | grep -q permitted || b=yes
  echo "$1:$2 mknod=$m read=$r write=$w both=$b"
done`;

/** The results for the three devices, one letter for each allowed access: m, r, w, and b for O_RDWR. */
function allowed(bed: Bed, devices: DeviceRule[]): string[] {
  bed.config.linux.resources.devices = devices;
  bed.config.process.capabilities.bounding?.push('CAP_MKNOD');
  bed.config.process.capabilities.effective?.push('CAP_MKNOD');
  bed.config.process.capabilities.permitted?.push('CAP_MKNOD');
  bed.config.mounts.find((m) => m.destination === '/dev/shm')!.options = ['mode=1777'];
  bed.config.linux.devices = [
    [240, 64],
    [240, 65],
    [241, 1],
  ].map(([major = 0, minor = 0]) => ({
    path: `/dev/made-${major}-${minor}`,
    type: 'c',
    major,
    minor,
    fileMode: 0o666,
  }));
  return bed
    .out(script)
    .trim()
    .split('\n')
    .map((line) => {
      const [, m, r, w, b] = /mknod=(\w+) read=(\w+) write=(\w+) both=(\w+)/.exec(line) ?? [];
      return `${m === 'yes' ? 'm' : ''}${r === 'yes' ? 'r' : ''}${w === 'yes' ? 'w' : ''}${b === 'yes' ? 'b' : ''}`;
    });
}

const all: DeviceRule = { allow: false, access: 'rwm' };
const rule = (allow: boolean, major: number, minor: number | undefined, access: string): DeviceRule => ({
  allow,
  type: 'c',
  major,
  ...(minor !== undefined && { minor }),
  access,
});

for (const [what, devices, expected] of [
  ['a hole in a wider rule', [all, rule(true, 240, undefined, 'rwm'), rule(false, 240, 64, 'w')], ['mr', 'mrwb', 'm']],
  [
    'a hole of which a part is allowed again',
    [all, rule(true, 240, undefined, 'rw'), rule(false, 240, 64, 'rw'), rule(true, 240, 64, 'r')],
    ['mr', 'mrwb', 'm'],
  ],
  [
    'access of one device by two rules',
    [
      all,
      rule(true, 240, 64, 'r'),
      rule(true, 240, 64, 'w'),
      rule(false, 241, undefined, 'r'),
      rule(true, 241, 1, 'r'),
    ],
    ['mrwb', 'm', 'mr'],
  ],
  [
    'overlapping rules',
    [all, { allow: true, type: 'c', minor: 64, access: 'rw' }, rule(false, 240, undefined, 'w')],
    ['mr', 'm', 'm'],
  ],
  [
    'one kind of access denied for all devices',
    [
      { allow: true, access: 'rwm' },
      { allow: false, access: 'w' },
    ],
    ['mr', 'mr', 'mr'],
  ],
  ['the wide rule last', [all, rule(false, 240, 64, 'w'), rule(true, 240, undefined, 'rwm')], ['mrwb', 'mrwb', 'm']],
] as const)
  test(
    `with ${what}, the last matching rule decides each kind of access, for mknod(2) and open(2)`,
    onBed((bed) => {
      assert.equal(allowed(bed, [...devices]), [...expected]);
    }),
  );

test(
  'update accepts rules in any order, and refuses an allow rule without access',
  onBed((bed) => {
    bed.started();
    const apply = (devices: unknown) =>
      bed.runt(['update', '--resources=-', bed.id], { input: JSON.stringify({ devices }) });
    assert.is(apply([all, rule(true, 240, undefined, 'rwm'), rule(false, 240, 64, 'w')]).code, 0);
    for (const access of [undefined, '']) {
      const r = apply([{ allow: true, type: 'c', major: 240, ...(access !== undefined && { access }) }]);
      assert.is(r.code, 1);
      assert.match(r.stderr, '/devices/0/access');
    }
    bed.delete('--force');
  }),
);

test.run();
