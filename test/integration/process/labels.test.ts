/** process.apparmorProfile, selinuxLabel and linux.mountLabel are refused by name without the module, for exec too. */
import { existsSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';
import { missing } from '../bed/needs.js';

const test = needing('labels', 'root');
/** Whether SELinux is enabled: without a policy every process is "kernel". */
function hasPolicy(): boolean {
  return existsSync('/sys/fs/selinux/enforce') && readFileSync('/proc/self/attr/current', 'latin1').includes(':');
}
const off = { apparmor: missing('apparmor') !== undefined, selinux: !hasPolicy() };

/** Field, flag of exec, module. */
const labels = [
  ['apparmorProfile', '--apparmor', 'AppArmor', off.apparmor],
  ['selinuxLabel', '--process-label', 'SELinux', off.selinux],
] as const;

for (const [field, flag, module, isOff] of labels) {
  if (!isOff) continue;
  test(
    `without ${module}, ${field} and exec ${flag} are refused by name`,
    onBed((bed) => {
      bed.started();
      const exec = bed.runt(['exec', flag, 'x', bed.id, 'true']);
      assert.is(exec.code, 255);
      assert.match(exec.stderr, new RegExp(`${module} is not enabled on this host[\\s\\S]*/process/${field}`));
      assert.is(bed.runt(['exec', flag, '', bed.id, 'true']).code, 0, 'an empty one asks for nothing');
      bed.delete('--force');
      bed.config.process[field] = 'x';
      const r = bed.create();
      assert.is(r.code, 1);
      assert.match(r.stderr, new RegExp(`${module} is not enabled on this host[\\s\\S]*/process/${field}`));
    }),
  );
}

if (off.selinux) {
  test(
    'without SELinux, mountLabel is refused by name, and an empty one is accepted',
    onBed((bed) => {
      bed.config.linux.mountLabel = '';
      assert.is(bed.out('echo ran'), 'ran\n');
      bed.config.linux.mountLabel = 'system_u:object_r:container_file_t:s0';
      const r = bed.run();
      assert.is(r.code, 1);
      assert.match(r.stderr, /SELinux is not enabled on this host[\s\S]*\/linux\/mountLabel/);
    }),
  );
}

test.run();
