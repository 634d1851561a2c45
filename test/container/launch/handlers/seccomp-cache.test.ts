/** The name of a cached seccomp program: a digest of everything that determines the program. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OpFailed } from '../../../../src/container/failure/op-failed.js';
import { openProgram } from '../../../../src/container/launch/handlers/seccomp-cache.js';
import { E } from '../../../../src/sys/errno.js';
import { commit, version } from '../../../../src/sys/runt-version.js';
import { packProfile, type SeccompProfile } from '../../../../src/sys/seccomp/seccomp-profile.js';
import { fakeHost, fill } from '../../../sys/fake-host.js';

const allow = 0x7fff0000;
const profile: SeccompProfile = {
  defaultAction: allow,
  architectures: ['x86', 'arm'],
  syscalls: [
    { names: ['read'], action: 0x50001, args: [] },
    { names: ['write', 'close'], action: 0x50001, args: [] },
  ],
};
const op = { op: 'seccompProgram', at: '/linux/seccomp', profile, slot: 0 } as const;

/** Opens the program on a host without a usable directory. @returns the inputs of each digest */
function digested(compile: (program: Uint8Array) => number): Buffer[] {
  const inputs: Buffer[] = [];
  fakeHost([], {
    openAt: () => -E.ENOENT,
    openDirectory: () => -E.ENOENT,
    seccompVersion: (data) => fill(data, '2.5.4 x86_64'),
    sha256: (data) => inputs.push(Buffer.from(data)),
    compileSeccomp: (_, program) => compile(program),
    sealedFile: () => 7,
  });
  assert.is(openProgram(op, '/root', 0), 7);
  return inputs;
}

test('the digest covers the profile, the build of runt, the version of libseccomp and the machine', () => {
  const [name] = digested(() => 8);
  assert.ok(name!.equals(Buffer.concat([packProfile(profile), Buffer.from(`${version()} ${commit()} 2.5.4 x86_64`)])));
});

test('a value that libseccomp refuses is reported with its JSON pointer', () => {
  for (const [item, name, at] of [
    [-1n, 0n, ''],
    [0n, 0n, '/defaultAction'],
    [1n, 0n, '/architectures/0'],
    [2n, 0n, '/architectures/1'],
    [3n, 0n, '/syscalls/0/names/0'],
    [4n, 1n, '/syscalls/1/names/1'],
    [4n, -1n, '/syscalls/1/args'],
  ] as const) {
    const refuse = (program: Uint8Array): number => {
      const position = new DataView(program.buffer, program.byteOffset);
      position.setBigInt64(0, item, true);
      position.setBigInt64(8, name, true);
      return -E.EINVAL;
    };
    assert.throws(
      () => digested(refuse),
      (e: OpFailed) => e instanceof OpFailed && e.failed.op.at === `/linux/seccomp${at}` && e.failed.errno === E.EINVAL,
      at,
    );
  }
});

test.run();
