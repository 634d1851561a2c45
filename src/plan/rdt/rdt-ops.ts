/** Operations of resctrl groups. */
import { table, type Word } from '../op-shape.js';

export const rdtTable = table({
  rdtGroup: {
    by: 'runtime',
    phase: 'limits',
    fields: { path: 'str', make: 'str' as Word<'new' | 'there' | 'either'>, schemata: 'list' },
    doc: 'the resctrl group at path: make is "new", "there" (it must be there) or "either"; the lines go into the schemata of one that is made, and must be in those of one that is there',
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
