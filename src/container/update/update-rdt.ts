/** `update --l3-cache-schema --mem-bw-schema`: new schemas for the container's `linux.intelRdt` class. */
import { noResctrlError, rdtOps, schemataLines } from '../../plan/rdt/rdt-compile.js';
import type { Spec } from '../../spec/config-types.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { exists, tryReadText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { lastStatus } from '../launch/handlers/rdt-handler.js';
import { readHostFacts } from '../launch/read-host-facts.js';
import type { ContainerRecord } from '../state/state-store.js';
import { loadStoredSpec } from '../state/stored-spec.js';

/** Lines in the kernel's format: `L3:0=7f0;1=1f`, `MB:0=20`. Absent ones do not change. */
export interface RdtSchemas {
  readonly l3CacheSchema?: string;
  readonly memBwSchema?: string;
}

/**
 * Sets the schemas of a container's class. A named class (`closID`) has them for all containers in it.
 * @returns the undo, which returns why it failed, if it did
 * @throws RuntError ERR_UNSUPPORTED without a resctrl file system, ERR_RDT
 */
export function updateRdt(root: string, record: ContainerRecord, schemas: RdtSchemas): () => string | undefined {
  const facts = readHostFacts('auto');
  const mount = facts.resctrl();
  if (mount === '') throw noResctrlError(`update ${record.id}: `);
  const { spec } = loadStoredSpec(root, record);
  const [assign] = rdtOps(withClass(record.id, spec), facts, record.id)?.assign ?? [];
  const [path = ''] = assign?.op === 'rdtAssign' ? assign.paths : [];
  return setSchemata(record.id, mount, path, schemas);
}

/** The config, if it has a class for the container. @throws RuntError ERR_RDT */
export function withClass(id: string, spec: Spec): Spec {
  if (spec.linux?.intelRdt) return spec;
  throw new RuntError({
    code: 'ERR_RDT',
    message: `update ${id}: the container has no resctrl group to change`,
    hint: 'create it with linux.intelRdt: a group made now would not hold the processes that already run',
    see: 'runtime-spec config-linux.md#intelrdt',
  });
}

/** Sets the schemas of the group at `path` in the file system at `mount`. @returns the undo, as above */
export function setSchemata(id: string, mount: string, path: string, schemas: RdtSchemas): () => string | undefined {
  const file = `${path}/schemata`;
  const needs: readonly (readonly [string, string | undefined, string])[] = [
    ['L3', schemas.l3CacheSchema, 'allocation of the L3 cache (CAT)'],
    ['MB', schemas.memBwSchema, 'allocation of memory bandwidth (MBA)'],
  ];
  for (const [name, schema, what] of needs) {
    if (!schema || [name, `${name}CODE`].some((n) => exists(`${mount}/info/${n}`))) continue;
    throw new RuntError({
      code: 'ERR_UNSUPPORTED',
      message: `update ${id}: ${schema}: this CPU, or its resctrl file system, has no ${what}`,
      path: `${mount}/info`,
      see: 'runtime-spec config-linux.md#intelrdt',
    });
  }
  const before = tryReadText(file);
  const write = (text: string): void => {
    const errno = native.writeFile(AT_FDCWD, file, 0, 0, host.encode(text));
    const status = errno < 0 ? lastStatus(path) : '';
    check(errno, {
      code: 'ERR_RDT',
      message: `update ${id}: write ${text.trim().replaceAll('\n', ', ')}${status && ` (${status})`}`,
      path: file,
      syscall: 'write',
      ...(errno === -E.ENOENT && { hint: 'create the container again: its group was removed while it ran' }),
      ...(errno === -E.EINVAL && {
        hint: 'correct the schema: the CPU does not take it (info/ of the resctrl file system shows what it has)',
      }),
    });
  };
  // All lines in one write: the kernel accepts all of them or none.
  write(`${schemataLines(schemas).join('\n')}\n`);
  return () => {
    try {
      write(before ?? '');
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
}
