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
}

const cases: readonly (readonly [what: string, times: number, change: (config: Config) => void])[] = [
  [
    '30,000 variables',
    8,
    ({ process }) => {
      for (let i = 0; i < 30_000; i++) process.env.push(`VARIABLE_${i}=value of the variable number ${i}`);
    },
  ],
  [
    '30,000 annotations',
    8,
    (config) => {
      config.annotations = {};
      for (let i = 0; i < 30_000; i++) config.annotations[`org.example.annotation.${i}`] = `value of annotation ${i}`;
    },
  ],
  [
    '10,000 mounts',
    14,
    ({ mounts }) => {
      for (let i = 0; i < 10_000; i++)
        mounts.push({
          destination: `/mnt/m${i}`,
          type: 'bind',
          source: '/etc/hostname',
          options: ['bind', 'ro', 'nosuid'],
        });
    },
  ],
];

for (const [what, times, change] of cases) {
  test(
    `validate of ${what} takes at most ${times} times the size of the config`,
    onBed((bed) => {
      change(bed.config as unknown as Config);
      const text = JSON.stringify(bed.config, (_, value) => (typeof value === 'bigint' ? Number(value) : value));
      const file = join(bed.bundle, 'large.json');
      writeFileSync(file, text);
      const most = BASE + Math.ceil((times * text.length) / 1024);
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
