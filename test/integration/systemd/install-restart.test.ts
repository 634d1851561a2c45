/** `runt install --restart`: systemd restarts an engine once for a change, through the sockets in the host's tree. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, ok, onBed } from '../bed/bed.js';
import { mounting } from '../bed/mount-namespace.js';
import { shown } from '../bed/systemd-unit.js';

const test = needing('install-restart', 'root', 'systemd', 'systemctl', 'mount', 'unshare');

/** A unit with the name of the engine's. */
const unit = '/run/systemd/system/crio.service';
const pid = (): string => shown('crio.service', 'MainPID').MainPID!;

test(
  'the engine is restarted when its config has changed, by install and by undo, and not otherwise',
  onBed((bed) => {
    writeFileSync(unit, '[Service]\nExecStart=/bin/sleep infinity\n');
    try {
      execFileSync('systemctl', ['daemon-reload']);
      execFileSync('systemctl', ['start', 'crio.service']);
      const tree = join(bed.dir, 'host');
      mkdirSync(join(tree, 'etc/crio'), { recursive: true });
      mkdirSync(join(tree, 'run'));
      const wrapped = mounting(`mount --rbind /run '${tree}/run'`);
      const call = (...args: string[]): string =>
        ok(bed.runt(['install', '--crio', '--host-root', tree, '--restart', ...args], { wrapped })).stdout;
      const before = pid();
      assert.match(call(), 'CRI-O: restarted crio.service');
      const installed = pid();
      assert.is.not(installed, before);
      assert.not.match(call(), 'restarted');
      assert.is(pid(), installed);
      assert.match(call('--undo'), 'CRI-O: restarted crio.service');
      assert.is.not(pid(), installed);
      // A unit that is not active stays so.
      execFileSync('systemctl', ['stop', 'crio.service']);
      call();
      assert.is(pid(), '0');
      call('--undo');
    } finally {
      execFileSync('systemctl', ['stop', 'crio.service']);
      rmSync(unit);
      execFileSync('systemctl', ['daemon-reload']);
    }
  }),
);

test.run();
