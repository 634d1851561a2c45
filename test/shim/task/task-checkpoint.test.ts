/** The options of a checkpoint, in the two messages that containerd's clients send. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkpointOptions } from '../../../src/shim/task/task-checkpoint.js';
import { runcOptions } from '../../../src/shim/transport/protos.js';

test('both types of the message are decoded, and another one is refused by name', () => {
  const value = runcOptions.CheckpointOptions.encode({ exit: true, imagePath: '/8', workPath: '/9' }).finish();
  const now = checkpointOptions({ type_url: 'containerd.runc.v1.CheckpointOptions', value });
  assert.equal([now.exit, now.imagePath, now.workPath], [true, '/8', '/9']);
  const before = checkpointOptions({ type_url: 'containerd.linux.runc.CheckpointOptions', value });
  assert.equal([before.exit, before.imagePath, before.workPath], [true, '/9', '/8']);
  assert.is(checkpointOptions(null).exit, false);
  assert.throws(() => checkpointOptions({ type_url: 'x.Options', value }), /of type x.Options are not supported/);
});

test.run();
