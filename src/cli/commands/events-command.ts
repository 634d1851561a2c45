/** `runt events`: statistics and OOM events of a container, one JSON object a line. */
import { statsJson } from '../../cgroup/stats/stats-json.js';
import { events, stats } from '../../container/stats-stream.js';
import { toJson } from '../../spec/json/exact-json.js';
import { parseDuration } from '../../sys/duration.js';
import { usageError } from '../arguments.js';
import { print } from '../command-output.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export async function command({ global, flags, args }: Call<'events'>): Promise<number> {
  const o = { root: rootDirectory(global), id: args[0]! };
  if (flags.stats) {
    print(`${toJson({ type: 'stats', id: o.id, data: statsJson(stats(o)) })}\n`);
    return 0;
  }
  const text = flags.interval ?? '5s';
  const interval = parseDuration(text);
  if (interval === undefined || interval < 1) {
    throw usageError('events', `flag --interval needs a duration of at least 1ms, such as 5s, not "${text}"`);
  }
  for await (const event of events({ ...o, interval })) {
    print(`${toJson(event.type === 'oom' ? event : { type: 'stats', id: event.id, data: statsJson(event.stats) })}\n`);
  }
  return 0;
}
