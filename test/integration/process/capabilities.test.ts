/** Capabilities: the five sets in /proc/self/status, for root and for an ordinary user. */
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';

const test = needing('capabilities', 'root');

const sets = 'grep -E "^(Cap|NoNew)" /proc/self/status | tr -d "\\t" | tr "\\n" " "';
const mask = (...bits: number[]) =>
  bits
    .reduce((m, b) => m | (1n << BigInt(b)), 0n)
    .toString(16)
    .padStart(16, '0');
const [CHOWN, KILL, NET_BIND, AUDIT_WRITE] = [0, 5, 10, 29];

test(
  'each capability set is exactly that of the config',
  onBed((bed) => {
    bed.config.process.user = { uid: 1000, gid: 1000 };
    bed.config.process.capabilities = {
      bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_AUDIT_WRITE'],
      permitted: ['CAP_KILL', 'CAP_CHOWN'],
      inheritable: ['CAP_KILL'],
      effective: ['CAP_KILL'],
      ambient: ['CAP_KILL'],
    };
    // execve leaves an ordinary user only ambient capabilities; the shell runs `cat`, which sees the same.
    assert.is(
      bed.out(sets).trim(),
      `CapInh:${mask(KILL)} CapPrm:${mask(KILL)} CapEff:${mask(KILL)} CapBnd:${mask(CHOWN, KILL, AUDIT_WRITE)} CapAmb:${mask(KILL)} NoNewPrivs:1`,
    );
  }),
);

test(
  'root keeps the bounding set across execve',
  onBed((bed) => {
    const three = mask(KILL, NET_BIND, AUDIT_WRITE);
    bed.config.process.noNewPrivileges = false;
    bed.config.process.capabilities!.inheritable = [];
    delete bed.config.process.capabilities!.ambient;
    assert.is(
      bed.out(sets).trim(),
      `CapInh:${mask()} CapPrm:${three} CapEff:${three} CapBnd:${three} CapAmb:${mask()} NoNewPrivs:0`,
    );
  }),
);

test(
  'a container may have no capabilities at all',
  onBed((bed) => {
    bed.config.process.capabilities = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] };
    const none = mask();
    assert.is(
      bed.out(sets).trim(),
      `CapInh:${none} CapPrm:${none} CapEff:${none} CapBnd:${none} CapAmb:${none} NoNewPrivs:1`,
    );
  }),
);

test(
  'a dropped capability has no effect',
  onBed((bed) => {
    const r = bed.sh('chown 7 /dev/null; hostname other; mount -t tmpfs x /tmp; true');
    assert.match(r.stderr, /chown: .*not permitted/);
    assert.match(r.stderr, /hostname: .*not permitted/);
    assert.match(r.stderr, /mount: .*(permission denied|not permitted)/i);
  }),
);

test(
  'an unknown capability is ignored with a warning, as the spec requires',
  onBed((bed) => {
    bed.config.process.capabilities!.bounding!.push('CAP_FLY');
    const r = bed.sh('grep CapBnd /proc/self/status');
    assert.is(r.code, 0, r.stderr);
    assert.match(r.stdout, new RegExp(mask(KILL, NET_BIND, AUDIT_WRITE)));
    assert.match(r.stderr, /CAP_FLY/);
  }),
);

test.run();
