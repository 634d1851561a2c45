/** `runt features`: what this runtime can do, as the runtime-spec's features document. */
import { features } from '../../plan/features-document.js';
import { print } from '../command-output.js';

export function command(): number {
  print(`${JSON.stringify(features(), null, 2)}\n`);
  return 0;
}
