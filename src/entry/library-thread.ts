/** The entry of the library's thread for calls of the core: dist/runt-thread.js. Node.js only. */
import { parentPort } from 'node:worker_threads';
import { closeRoots, onStateWarning } from '../container/state/state-directory.js';
import { type AnswerMessage, type CallMessage, callHere, sentError } from '../library/core-calls.js';
import { withOptions } from '../library/option-words.js';
import { setWords } from '../sys/error.js';
import { useNodeHost } from '../sys/node-host.js';

useNodeHost([]);
setWords(withOptions);
process.once('exit', closeRoots);

const answer = (message: AnswerMessage): void => parentPort?.postMessage(message);

onStateWarning((sentence) => answer({ kind: 'warning', number: undefined, sentence }));

parentPort?.on('message', async ({ number, name, options }: CallMessage) => {
  const warn = (sentence: string): void => answer({ kind: 'warning', number, sentence });
  try {
    answer({
      kind: 'result',
      number,
      result: await callHere(name, { ...options, warn } as Parameters<typeof callHere>[1]),
    });
  } catch (error) {
    answer({ kind: 'failure', number, failure: sentError(error) });
  }
});
answer({ kind: 'ready' });
