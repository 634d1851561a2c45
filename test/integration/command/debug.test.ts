/** `runt debug`: its report of a running, a stopped, a damaged and an unknown container is true. */
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';

const test = needing('debug', 'root');

function report(bed: Bed) {
  const r = bed.runt(['debug', '--format', 'json', bed.id]);
  assert.equal([r.code, r.stderr], [0, '']);
  return JSON.parse(r.stdout);
}

test(
  'debug reports state, processes, namespaces, cgroups, mounts, identity, limits and descriptors',
  onBed((bed) => {
    bed.config.linux.resources.pids = { limit: 33 };
    bed.config.annotations = { note: 'x\u001b[31m' };
    const pid = bed.started(['/bin/sleep', '1000']);
    const r = report(bed);
    assert.equal(r.state, bed.state());
    assert.equal(r.processes, [{ pid, state: 'S', command: '/bin/sleep 1000' }]);
    for (const { type, id, own } of r.namespaces) {
      assert.is(id, readlinkSync(`/proc/${pid}/ns/${type}`));
      assert.is(own, id !== readlinkSync(`/proc/self/ns/${type}`), type);
    }
    assert.is(
      r.namespaces.filter((n: { own: boolean }) => n.own).length,
      5 + Number(r.namespaces.some((n: { type: string; own: boolean }) => n.type === 'cgroup' && n.own)),
    );
    assert.ok(r.cgroups.some((c: { files: Record<string, string> }) => c.files['pids.max'] === '33'));
    assert.ok(r.cgroups.every((c: { exists: boolean }) => c.exists));
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trimEnd().split('\n');
    assert.is(r.mounts.length, mounts.length);
    assert.ok(r.mounts.some((m: { target: string; type: string }) => m.target === '/proc' && m.type === 'proc'));
    assert.is(r.identity.NoNewPrivs, '1');
    assert.ok(r.limits.some((l: string[]) => l.join(' ') === 'Max open files 1024 1024 files'));
    assert.equal(Object.keys(r.descriptors), ['0', '1', '2']);
    assert.is(r.lastError, undefined);
    const text = bed.runt(['debug', bed.id]).stdout;
    for (const word of [
      `container ${bed.id}: running, pid ${pid}\n`,
      /\nprocesses\n {2}\d+ {2}S \/bin\/sleep 1000\n/,
      /\n {2}pids\.max +33\n/,
      /\n {2}created +\d{4}-\d\d-\d\d [\d:]{8} UTC \(\d+ s ago\) by /,
      /\n {2}CapBnd +CAP_KILL CAP_NET_BIND_SERVICE CAP_AUDIT_WRITE\n/,
      /\n {2}CapInh +none\n/,
      /\n {2}user +user:\[\d+\] \(shared with this command\)\n/,
      /\n {2}Max open files +1024 1024 files\n/,
    ]) {
      assert.match(text, word);
    }
    assert.not.match(text, '\u001b', 'control characters are escaped');
    bed.delete('--force');
  }),
);

test(
  'debug has the last failure of a command with its whole report, but not that the state was wrong',
  onBed((bed) => {
    bed.started();
    const failed = bed.runt(['exec', bed.id, 'nothing']);
    bed.runt(['resume', bed.id]);
    bed.runt(['kill', bed.id, 'NOSIG']);
    bed.runt(['exec', `${bed.id}-x`, 'nothing']);
    const { lastError } = report(bed);
    assert.equal([lastError.command, lastError.code], ['exec', 'ERR_EXEC']);
    assert.is(`runt: ${lastError.report}\n`, failed.stderr);
    assert.match(lastError.time, /^\d{4}-\d\d-\d\dT.*Z$/);
    assert.match(
      bed.runt(['debug', bed.id]).stdout,
      /\nlast error\n {2}\d{4}-\d\d-\d\d [\d:]{8} UTC \(\d+ s ago\) exec ERR_EXEC\n {2}exec .*executable file not found/,
    );
    const update = bed.runt(['update', '--pids-limit', '-5', bed.id]);
    if (update.code !== 0) assert.is(report(bed).lastError.command, 'update');
    assert.is(bed.delete('--force').code, 0);
    assert.not.ok(existsSync(join(bed.root, bed.id)));
  }),
);

test(
  'debug reports the exit of a supervised container and the usable parts of a damaged one; unknown ids fail',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'exit 7'];
    assert.is(bed.create(['--supervise']).code, 0);
    assert.is(bed.start().code, 0);
    bed.until('stopped');
    assert.is(bed.runt(['wait', bed.id]).stdout, '7\n');
    const r = report(bed);
    assert.equal([r.state.status, r.supervised, r.exit.status, r.processes], ['stopped', true, 7, []]);
    assert.is(bed.delete().code, 0);

    const pid = bed.started(['/bin/sleep', '1000']);
    const path = join(bed.root, bed.id, 'state.json');
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, -20));
    const damaged = report(bed);
    assert.is(damaged.state, undefined);
    assert.match(damaged.problem, 'cannot be used');
    assert.equal(
      damaged.processes.map((p: { pid: number }) => p.pid),
      [pid],
    );
    assert.ok(damaged.mounts.length > 0);
    assert.match(bed.runt(['debug', bed.id]).stdout, `container ${bed.id}: its state cannot be used\n`);
    assert.is(bed.delete('--force').code, 0);
    const unknown = bed.runt(['debug', bed.id]);
    assert.equal([unknown.code, unknown.stderr], [1, `runt: container does not exist: ${bed.id}\n`]);
  }),
);

test.run();
