/** Masked and read-only paths. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';

const test = needing('masks', 'root');

test(
  'a masked file is empty, a masked directory is empty and read-only, and a missing path is ignored',
  onBed((bed) => {
    mkdirSync(join(bed.rootfs, 'secret'));
    writeFileSync(join(bed.rootfs, 'secret', 'f'), 'x');
    writeFileSync(join(bed.rootfs, 'key'), 'x');
    bed.config.root.readonly = false;
    bed.config.linux.maskedPaths = ['/secret', '/key', '/not/there'];
    assert.is(
      bed.out(
        'ls -A /secret | wc -l; ( : >/secret/n ) 2>/dev/null || echo refused; wc -c </key; cat /key; stat -c "%t:%T" /key; ls /not 2>/dev/null || echo none',
      ),
      '0\nrefused\n0\n1:3\nnone\n',
    );
  }),
);

test(
  'a read-only path can be read but not written, and a missing path is ignored',
  onBed((bed) => {
    mkdirSync(join(bed.rootfs, 'fixed'));
    writeFileSync(join(bed.rootfs, 'fixed', 'f'), 'x\n');
    bed.config.root.readonly = false;
    bed.config.linux.readonlyPaths.push('/fixed', '/not/there');
    assert.is(
      bed.out('cat /fixed/f; ( : >/fixed/n ) 2>/dev/null || echo refused; : >/free && echo free'),
      'x\nrefused\nfree\n',
    );
  }),
);

test(
  'the default masked and read-only paths protect /proc',
  onBed((bed) => {
    bed.config.process.capabilities!.effective = ['CAP_SYS_ADMIN', 'CAP_DAC_OVERRIDE'];
    bed.config.process.capabilities!.permitted = ['CAP_SYS_ADMIN', 'CAP_DAC_OVERRIDE'];
    bed.config.process.capabilities!.bounding = ['CAP_SYS_ADMIN', 'CAP_DAC_OVERRIDE'];
    delete bed.config.process.capabilities!.ambient;
    assert.is(
      bed.out(
        'cat /proc/timer_list /proc/keys | wc -c; ls /sys/firmware | wc -l; for f in /proc/sys/kernel/domainname /proc/sysrq-trigger; do ( echo h >$f ) 2>/dev/null || echo refused; done',
      ),
      '0\n0\nrefused\nrefused\n',
    );
  }),
);

test.run();
