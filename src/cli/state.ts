/** `runt state`: the state of one container as JSON. */
import { state } from '../container/state.js';
import { print } from './output.js';
import { rootDirectory } from './root.js';
import type { Call } from './syntax.js';

export function command({ global, args }: Call<'state'>): number {
  print(`${JSON.stringify(state({ root: rootDirectory(global), id: args[0]! }), null, 2)}\n`);
  return 0;
}
