/** `runt state`: the state of one container as JSON. */
import { state } from '../../container/state.js';
import { print } from '../command-output.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export function command({ global, args }: Call<'state'>): number {
  print(`${JSON.stringify(state({ root: rootDirectory(global), id: args[0]! }), null, 2)}\n`);
  return 0;
}
