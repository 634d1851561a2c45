/** The calls of CNI plugins for one container (CNI spec 1.0, sections 2 and 3). */

import { printable } from '../../plan/printable-text.js';
import { isObject } from '../../spec/json/is-object.js';
import { RuntError } from '../../sys/error.js';
import { type NetworkList, type NetworkPlugin, pluginPath, pluginProgram } from './network-list.js';
import { endProcesses } from './network-processes.js';
import { type ProgramOutput, runProgram } from './network-program.js';

/** A container that is connected by a list. */
interface Attachment {
  readonly id: string;
  readonly list: NetworkList;
  /** Path of the network namespace; absent if it has ended. */
  readonly namespace?: string;
}

/** Name of the interface in the container. */
const interfaceName = 'eth0';

/**
 * Calls ADD of each plugin, each with the result of the one before.
 * @param begin gets the number of plugins whose ADD has begun, and the result so far
 * @returns the last result
 * @throws RuntError ERR_NETWORK of the first plugin that fails; the caller calls DEL
 */
export async function addAttachment(
  attachment: Attachment,
  begin: (count: number, result: unknown) => void,
): Promise<unknown> {
  let result: unknown;
  for (const [index, plugin] of attachment.list.plugins.entries()) {
    begin(index + 1, result);
    const { stdout } = await call('ADD', attachment, plugin, result);
    result = resultOf(stdout);
    if (result !== undefined) continue;
    throw pluginError('ADD', attachment, plugin, `its result is not a JSON object: ${printable(stdout.slice(0, 200))}`);
  }
  return result;
}

/**
 * Calls DEL of each plugin, the last one first. A plugin that fails does not prevent the others.
 * @param result the last result of ADD; undefined if there is none
 * @throws RuntError ERR_NETWORK, the first error
 */
export async function deleteAttachment(attachment: Attachment, result: unknown): Promise<void> {
  const { id, namespace } = attachment;
  // A plugin that was killed with its runt leaves iptables, which would go on beside DEL.
  if (namespace !== undefined) await endProcesses(id, 'environ', (env) => env.includes(`CNI_NETNS=${namespace}`));
  const errors: unknown[] = [];
  for (const plugin of [...attachment.list.plugins].reverse()) {
    try {
      await call('DEL', attachment, plugin, result);
    } catch {
      // After an ADD that was killed, bridge removes the interface and then fails for want of rules; the second one
      // finds no interface, and succeeds.
      await call('DEL', attachment, plugin, result).catch((error: unknown) => errors.push(error));
    }
  }
  if (errors.length > 0) throw errors[0];
}

/** The result of ADD (section 5, "Success"); undefined if it is not an object of JSON. */
function resultOf(stdout: string): unknown {
  try {
    const result: unknown = JSON.parse(stdout);
    return isObject(result) ? result : undefined;
  } catch {
    return undefined;
  }
}

async function call(
  command: 'ADD' | 'DEL',
  attachment: Attachment,
  plugin: NetworkPlugin,
  prevResult: unknown,
): Promise<ProgramOutput> {
  const { id, list, namespace } = attachment;
  const { cniVersion, name } = list;
  // Not for the plugin: what it could do with values that a runtime passes (section 3, "capabilities").
  const { capabilities: _, ...config } = plugin;
  // Since 0.4.0, DEL has the result too.
  const hasResult = prevResult !== undefined && (command === 'ADD' || !cniVersion.startsWith('0.3.'));
  const output = await runProgram(`${command} of network ${name} for ${id}`, {
    args: [pluginProgram(plugin.type)],
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: id,
      CNI_IFNAME: interfaceName,
      CNI_PATH: pluginPath(),
      ...(namespace !== undefined && { CNI_NETNS: namespace }),
    },
    input: JSON.stringify({ ...config, cniVersion, name, ...(hasResult && { prevResult }) }),
  });
  if (output.end.status === 0) return output;
  throw pluginError(command, attachment, plugin, reasonOf(output));
}

/** The error of a plugin: `msg` and `details` on stdout (section 5, "Error"), or what it wrote to stderr. */
function reasonOf({ end, stdout, stderr }: ProgramOutput): string {
  try {
    const { msg, details } = (JSON.parse(stdout) ?? {}) as { readonly msg?: unknown; readonly details?: unknown };
    if (typeof msg === 'string')
      return [msg, details]
        .filter((part) => part && typeof part === 'string')
        .map((part) => printable(part as string))
        .join('; ');
  } catch {
    // A plugin that was killed writes none.
  }
  const text = printable((stderr.trim() || stdout.trim()).slice(-2000));
  return `it ${end.description}${text && `: ${text}`}`;
}

function pluginError(command: string, { id, list }: Attachment, { type }: NetworkPlugin, reason: string): RuntError {
  return new RuntError({
    code: 'ERR_NETWORK',
    message: `${command} of network ${list.name} for ${id}: CNI plugin ${type}: ${reason}`,
    see: 'CNI spec 1.0, section 2',
  });
}
