/** Memory mappings of runt-init and runt while they run (docs/security.md#hardening-of-the-binaries). */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';

const test = needing('hardening', 'root');

interface Mapping {
  from: bigint;
  rights: string;
  what: string;
}

/** /proc/PID/maps. */
const mappings = (pid: number | string): Mapping[] =>
  readFileSync(`/proc/${pid}/maps`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [range = '', rights = '', , , , ...what] = line.split(/ +/);
      return { from: BigInt(`0x${range.split('-')[0]}`), rights, what: what.join(' ') };
    });

const isRandom = readFileSync('/proc/sys/kernel/randomize_va_space', 'utf8').trim() !== '0';

test(
  'a waiting runt-init has no writable executable page, a read-only RELRO and a random address',
  onBed((bed) => {
    const addresses = new Set<bigint>();
    for (let round = 0; round < 4; round++) {
      assert.is(bed.create().code, 0);
      const pid = bed.state().pid!;
      const all = mappings(pid);
      assert.equal(
        all.filter(({ rights }) => /^.wx/.test(rights)),
        [],
      );
      const image = all.filter(({ what }) => what.includes('runt-init'));
      // Code with constants; relocated data, made read-only by mprotect(2); data.
      assert.equal(
        image.map(({ rights }) => rights),
        ['r-xp', 'r--p', 'rw-p'],
      );
      addresses.add(image[0]!.from);
      assert.is(bed.runt(['delete', '--force', bed.id]).code, 0);
    }
    if (isRandom) assert.ok(addresses.size > 1, `always at ${[...addresses].map((a) => a.toString(16))}`);
  }),
);

test.run();
