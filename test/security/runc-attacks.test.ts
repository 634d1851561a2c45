/**
 * The attacks on a runtime that is vulnerable: Debian bookworm's runc 1.1.5. They show that the same attacker, config
 * and check find what they look for; then runt has the same attacker for as many rounds.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bed, needing, onBed } from '../integration/bed/bed.js';
import { runtPath } from '../integration/bed/place.js';
import { neverWorks, roundsUntil, whileExchanging } from './rounds.js';

const runcTest = needing('attacks on runc', 'root', 'programs', 'cgroups', 'runc');

const { stdout = '' } = spawnSync('runc', ['--version'], { encoding: 'utf8' });
/** A newer runc has the fixes of November 2025. */
const isVulnerable = /^runc version 1\.1\./.test(stdout);

interface Attack {
  readonly title: string;
  /** Prepares a bed, and names the directory and the two names that the attacker exchanges. */
  prepare(bed: Bed): { dir: string; names: [string, string] };
  /** One container. Returns whether the attack worked. */
  works(bed: Bed, program: string): boolean;
}

/** A volume of the container, in which `link` leads to `target`. */
function volume(bed: Bed, destination: string, target: string): string {
  const dir = join(bed.dir, 'volume');
  mkdirSync(dir);
  symlinkSync(target, join(dir, 'link'));
  bed.config.mounts.push({ destination, type: 'bind', source: dir, options: ['rbind', 'rw'] });
  return dir;
}

const attacks: Attack[] = [
  {
    title: 'CVE-2024-45310: missing parents of a mount point are made on the host',
    prepare(bed) {
      const host = join(bed.dir, 'host');
      mkdirSync(host);
      const dir = volume(bed, '/volume', host);
      mkdirSync(join(dir, 'target'));
      // Each is a chance between runc's look at the path and its mkdir.
      for (let n = 0; n < 40; n++)
        bed.config.mounts.push({ destination: `/volume/target/${n}/x/y`, type: 'tmpfs', source: 'tmpfs' });
      bed.config.process.args = ['/bin/true'];
      return { dir, names: ['target', 'link'] };
    },
    works(bed, program) {
      bed.run([], { program });
      return readdirSync(join(bed.dir, 'host')).length > 0;
    },
  },
  {
    title: 'CVE-2025-31133: a file of the image is bound as a mask',
    prepare(bed) {
      bed.config.mounts = bed.config.mounts.filter((mount) => !mount.destination.startsWith('/dev'));
      bed.config.root.readonly = false;
      const dir = volume(bed, '/dev', '/planted');
      spawnSync('mknod', ['-m', '666', join(dir, 'null'), 'c', '1', '3']);
      writeFileSync(join(bed.rootfs, 'planted'), 'planted');
      bed.config.linux.maskedPaths = ['/proc/version', '/proc/uptime', '/proc/loadavg', '/proc/cpuinfo'];
      bed.config.process.args = ['/bin/head', '-qc7', ...bed.config.linux.maskedPaths];
      return { dir, names: ['null', 'link'] };
    },
    works: (bed, program) => bed.run([], { program }).stdout.includes('planted'),
  },
];

for (const { title, prepare, works } of attacks) {
  if (isVulnerable)
    runcTest(
      `the attack works on runc 1.1: ${title}`,
      onBed(async (bed) => {
        const { dir, names } = prepare(bed);
        const found = await whileExchanging(dir, names, () => roundsUntil(() => works(bed, 'runc')));
        console.log(`\n# note ${title.split(':')[0]}: runc falls in round ${found}`);
      }),
    );
  runcTest(
    `not on runt: ${title}`,
    onBed(async (bed) => {
      const { dir, names } = prepare(bed);
      await whileExchanging(dir, names, () => neverWorks(() => works(bed, runtPath)));
    }),
  );
}

if (!isVulnerable) console.log('# note this runc has the fixes: the attacks are tried on runt alone');
runcTest.run();
