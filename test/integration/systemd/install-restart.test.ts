/** `runt install --restart`: systemd restarts an engine once for a change, through the sockets in the host's tree. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, ok, onBed } from '../bed/bed.js';
import { mounting } from '../bed/mount-namespace.js';
import { shown } from '../bed/systemd-unit.js';

const test = needing('install-restart', 'root', 'systemd', 'systemctl', 'mount', 'unshare');

/** A unit with the name of the engine's. */
const unit = '/run/systemd/system/crio.service';
const pid = (): string => shown('crio.service', 'MainPID').MainPID!;

type Install = (...args: string[]) => ReturnType<Bed['runt']>;

/** Runs the body beside a running unit of that text, with a host's tree, and `install` for that. */
function besideUnit(bed: Bed, text: (tree: string) => string, body: (tree: string, install: Install) => void): void {
  const tree = join(bed.dir, 'host');
  mkdirSync(join(tree, 'etc/crio/crio.conf.d'), { recursive: true });
  mkdirSync(join(tree, 'run'));
  writeFileSync(unit, text(tree));
  try {
    execFileSync('systemctl', ['daemon-reload']);
    execFileSync('systemctl', ['start', 'crio.service']);
    const wrapped = mounting(`mount --rbind /run '${tree}/run'`);
    body(tree, (...args) => bed.runt(['install', '--crio', '--host-root', tree, '--restart', ...args], { wrapped }));
  } finally {
    execFileSync('systemctl', ['stop', 'crio.service']);
    rmSync(unit);
    execFileSync('systemctl', ['daemon-reload']);
  }
}

test(
  'the engine is restarted when its config has changed, by install and by undo, and not otherwise',
  onBed((bed) =>
    besideUnit(
      bed,
      () => '[Service]\nExecStart=/bin/sleep infinity\n',
      (_, install) => {
        const call = (...args: string[]): string => ok(install(...args)).stdout;
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
      },
    ),
  ),
);

test(
  'an engine that fails with the new config runs again with the earlier one',
  onBed((bed) => {
    const drops = (tree: string): string => join(tree, 'etc/crio/crio.conf.d');
    besideUnit(
      bed,
      (tree) => `[Service]\nExecStartPre=/bin/sh -c 'test -z "$(ls ${drops(tree)})"'\nExecStart=/bin/sleep infinity\n`,
      (tree, install) => {
        const before = pid();
        const r = install();
        assert.is(r.code, 1);
        assert.match(r.stderr, 'restart crio.service: the job ended as failed');
        assert.match(r.stdout, 'CRI-O: restarted crio.service with the earlier config');
        assert.equal(readdirSync(drops(tree)), []);
        assert.is(shown('crio.service', 'ActiveState').ActiveState, 'active');
        assert.is.not(pid(), before);
      },
    );
  }),
);

test.run();
