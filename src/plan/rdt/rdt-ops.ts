/** Operations of resctrl groups. */
import { table, type Word } from '../op-shape.js';

export const rdtTable = table({
  rdtGroup: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str', make: 'str' as Word<'new' | 'there' | 'either'>, schemata: 'list' },
    doc: 'the resctrl group at path: make is "new", "there" (it must exist) or "either"; the lines are written to the schemata of a new group, and must be in those of an existing one',
  },
  rdtMonitor: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str' },
    doc: 'make a resctrl monitoring group',
  },
  rdtAssign: {
    by: 'runtime',
    phase: 'limits',
    fields: { paths: 'list' },
    doc: 'move runt-init into these resctrl groups, one after the other',
  },
});
