/** Messages and hints of the library name its options, not the flags of the command. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RuntError } from '../../src/library/index.js';
import { withOptions } from '../../src/library/option-words.js';

const test = suite('library option words');

test('flags in hints become options, and other text stays', () => {
  const hints = {
    'set process.terminal to true, or remove --console-socket':
      'set process.terminal to true, or remove the option tty',
    'run chmod 700 /x, or choose another --root': 'run chmod 700 /x, or choose another root (option root)',
    'run "runt stop web" first, or "runt delete --force web", which kills it':
      'run stop() first, or delete({ force: true }), which kills it',
    'install the package criu, or name the program with the global flag --criu PATH':
      'install the package criu, or name the program with the option criu',
    'exec: --env "x" is not NAME=VALUE': 'exec: the option env "x" is not NAME=VALUE',
    'exec web: --cap CAP_X is not a capability: it is left out':
      'exec web: the option capabilities: CAP_X is not a capability: it is left out',
    'spec: option rootfs "/x" does not exist': 'bundle: option rootfs "/x" does not exist',
    // Text of the user.
    'exec "--user": not found': 'exec "--user": not found',
    'add a range (usermod --add-subuids)': 'add a range (usermod --add-subuids)',
  };
  for (const [command, library] of Object.entries(hints)) assert.is(withOptions(command), library);
});

test('an error of the library has such a hint', () => {
  const error = new RuntError({ code: 'ERR_TERMINAL', message: 'x', hint: 'remove --console-socket' });
  assert.is(error.hint, 'remove the option tty');
  assert.is(new RuntError({ code: 'ERR_TERMINAL', message: 'x' }).hint, undefined);
  const { message } = new RuntError({ code: 'ERR_USAGE', message: 'exec: --user "" is not UID[:GID]' });
  assert.is(message, 'exec: the option user "" is not UID[:GID]');
});

test.run();
