/** Checks of the engines of this machine: whether a config names runt, and whether that program is this version. */

import { runProgram } from '../../container/launch/program-output.js';
import type { Engine } from '../../engines/engine.js';
import { engines, isThere, versionOf } from '../../engines/found-engine.js';
import { HostTree } from '../../engines/host-tree.js';
import { callerIds } from '../../sys/caller-ids.js';
import { RuntError } from '../../sys/error.js';
import { host } from '../../sys/host.js';
import { commit, version } from '../../sys/runt-version.js';
import { engineAnswerTime } from '../../sys/waiting/time-limits.js';
import { type Finding, findingOf } from '../check.js';

export async function engineChecks(): Promise<[name: string, finding: Finding][]> {
  const tree = new HostTree('/');
  const found: [string, Finding][] = [];
  for (const engine of engines) {
    if (!isThere(tree, engine)) continue;
    try {
      found.push([engine.name, await engineFinding(tree, engine)]);
    } catch (error) {
      found.push([engine.name, findingOf(error, 'failed')]);
    }
  }
  return found.length > 0 ? found : [['engines', { status: 'skipped', found: 'no engine is installed' }]];
}

async function engineFinding(tree: HostTree, engine: Engine): Promise<Finding> {
  const found = await versionOf(tree, engine);
  const title = found === undefined ? `${engine.title} (its program is not installed)` : `${engine.title} ${found}`;
  const home = callerIds().uid === 0 ? undefined : host.env.HOME;
  const entries = engine.entries(tree, home);
  const remedy = `run "runt install --${engine.name}"`;
  const see = `docs/engines/${engine.name === 'crio' ? 'cri-o' : engine.name}.md`;
  const [first] = entries;
  if (!first) {
    // Only podman has a config of an ordinary user's.
    const isOurs = found !== undefined && (home === undefined || engine.name === 'podman');
    return { status: isOurs ? 'warning' : 'skipped', found: `${title} does not know runt`, remedy, see };
  }
  for (const { file, program } of entries) {
    const problem = await problemOf(tree, program);
    if (problem !== undefined) return { status: 'failed', found: `${file} names ${program}: ${problem}`, remedy, see };
  }
  return { status: 'ok', found: `${title} has ${first.program} from ${first.file}` };
}

/** What is wrong with a program that a config names, as a clause; undefined if it is this version of runt. */
async function problemOf(tree: HostTree, program: string): Promise<string | undefined> {
  if (!program.startsWith('/')) return 'it is not an absolute path';
  if (!tree.exists(program)) return 'it does not exist';
  const isShim = program.includes('containerd-shim-');
  try {
    const { status, output } = await runProgram([program, isShim ? '-v' : '--version'], { timeout: engineAnswerTime });
    if (status !== 0) return `it ends with status ${status}`;
    if (output.includes(version()) && (isShim || output.includes(commit()))) return undefined;
    const line = output.trim().split('\n').slice(0, 2).join(', ');
    return `it is another version (${line}) than this one (${version()}, ${commit()})`;
  } catch (error) {
    if (error instanceof RuntError && error.code === 'ERR_PROGRAM') return `it cannot be run: ${error.message}`;
    throw error;
  }
}
