/** Memory for a large config: a multiple of its size (docs/bench.md#large-configs), by a limit of the address space. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';
import { runtPath } from '../bed/place.js';

const test = needing('config-memory', 'root');

/** The address space of `validate` for a small config is 5.2 MB. */
const BASE = 6_500;

interface Config {
  process: { env: string[] };
  mounts: object[];
  annotations: Record<string, string>;
  linux: { devices?: object[]; maskedPaths?: string[]; resources?: { devices?: object[] }; sysctl?: object };
}

/** The most that a large config takes, as a multiple of its size. */
const TIMES = 8;

const repeat = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

const cases: readonly (readonly [what: string, change: (config: Config) => void])[] = [
  [
    '30,000 variables',
    ({ process }) => {
      process.env = repeat(30_000, (i) => `VARIABLE_${i}=value of the variable number ${i}`);
    },
  ],
  [
    '30,000 annotations',
    (config) => {
      config.annotations = Object.fromEntries(
        repeat(30_000, (i) => [`org.example.annotation.${i}`, `value of annotation ${i}`]),
      );
    },
  ],
  [
    '10,000 binds',
    (config) => {
      const options = ['bind', 'ro', 'nosuid'];
      const bind = { type: 'bind', source: '/etc/hostname', options };
      config.mounts = [...config.mounts, ...repeat(10_000, (i) => ({ destination: `/mnt/m${i}`, ...bind }))];
    },
  ],
  [
    '10,000 tmpfs',
    (config) => {
      const tmpfs = { type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'size=64k'] };
      config.mounts = [...config.mounts, ...repeat(10_000, (i) => ({ destination: `/mnt/m${i}`, ...tmpfs }))];
    },
  ],
  [
    '10,000 devices',
    ({ linux }) => {
      linux.devices = repeat(10_000, (i) => ({ path: `/dev/d${i}`, type: 'c', major: 1 + (i % 200), minor: i >> 8 }));
    },
  ],
  [
    '20,000 device rules',
    ({ linux }) => {
      linux.resources = {
        ...linux.resources,
        devices: repeat(20_000, (i) => ({
          allow: true,
          type: 'c',
          major: 200 + (i >> 8),
          minor: i & 255,
          access: 'rwm',
        })),
      };
    },
  ],
  [
    '20,000 masked paths',
    ({ linux }) => {
      linux.maskedPaths = repeat(20_000, (i) => `/proc/a/hidden/path/${i}`);
    },
  ],
];

for (const [what, change] of cases) {
  test(
    `validate of ${what} takes at most ${TIMES} times the size of the config`,
    onBed((bed) => {
      change(bed.config as unknown as Config);
      const text = JSON.stringify(bed.config, (_, value) => (typeof value === 'bigint' ? Number(value) : value));
      const file = join(bed.bundle, 'large.json');
      writeFileSync(file, text);
      const most = BASE + Math.ceil((TIMES * text.length) / 1024);
      const { stdout, stderr } = spawnSync(
        'sh',
        ['-c', 'ulimit -v "$1"; exec "$2" validate "$3"', 'sh', `${most}`, runtPath, file],
        {
          encoding: 'utf8',
        },
      );
      assert.is(stdout, 'valid\n', stderr);
    }),
  );
}

test.run();
