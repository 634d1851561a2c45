/** `runt features`: the features document of the runtime-spec. */
import { features } from '../../plan/features-document.js';
import { print } from '../command-output.js';

export function command(): number {
  print(`${JSON.stringify(features(), null, 2)}\n`);
  return 0;
}
