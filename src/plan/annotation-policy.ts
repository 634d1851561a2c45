/** Policy for annotations that weaken a container or name paths of the host: allow, warn, or deny. */

import { type AnnotationUse, unsafeAnnotations } from '../spec/annotation-names.js';
import { escapeSegment } from '../spec/json/json-pointer.js';
import { RuntError } from '../sys/error.js';
import { host } from '../sys/host.js';

export type AnnotationPolicy = 'allow' | 'warn' | 'deny';

const policies: readonly unknown[] = ['allow', 'warn', 'deny'];

export const isAnnotationPolicy = (value: unknown): value is AnnotationPolicy => policies.includes(value);

const variable = 'RUNT_UNSAFE_ANNOTATIONS';

/** An annotation of the config that is in the table of unsafe ones. */
export interface UnsafeAnnotation {
  /** JSON pointer. */
  readonly at: string;
  readonly name: string;
  readonly value: string;
  /** Its effect, as a clause that follows "it". */
  readonly effect: string;
}

/** `requested`, else the environment variable, else `warn`. @throws RuntError ERR_USAGE */
export function annotationPolicy(requested?: AnnotationPolicy): AnnotationPolicy {
  const policy = requested ?? (host.env[variable] || 'warn');
  if (isAnnotationPolicy(policy)) return policy;
  throw new RuntError({
    code: 'ERR_USAGE',
    message: `${variable} must be allow, warn or deny, not ${JSON.stringify(policy)}`,
  });
}

/** The annotations that have an effect in one of the uses, in the config's order. */
export function findUnsafe(
  annotations: { readonly [key: string]: string } | undefined,
  uses: readonly AnnotationUse[],
): UnsafeAnnotation[] {
  const found: UnsafeAnnotation[] = [];
  // A config may have thousands: no list for each.
  for (const name of Object.keys(annotations ?? {})) {
    const known = unsafeAnnotations.find((a) => (a.prefix ? name.startsWith(a.name) : name === a.name));
    if (!known?.uses.some((use) => uses.includes(use))) continue;
    const value = annotations?.[name] as string;
    found.push({ at: `/annotations/${escapeSegment(name)}`, name, value, effect: known.effect });
  }
  return found;
}

/** @throws RuntError ERR_ANNOTATION_DENIED */
export function refuseDenied(found: readonly UnsafeAnnotation[], policy: AnnotationPolicy): void {
  if (policy === 'deny' && found.length > 0) throw deniedError(found);
}

/** The error for denied annotations; there is at least one. */
export function deniedError(found: readonly UnsafeAnnotation[]): RuntError {
  const { name, effect, at, value } = found[0]!;
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : '';
  return new RuntError({
    code: 'ERR_ANNOTATION_DENIED',
    message: `the annotation ${name} is denied: it ${effect}${more}`,
    pointer: at,
    value,
    hint: `remove it, or allow such annotations: --unsafe-annotations allow, or ${variable}=allow`,
  });
}

/** The warning about one annotation. */
export const unsafeSentence = ({ at, effect }: UnsafeAnnotation): string =>
  `${at} is an unsafe annotation: it ${effect} (--unsafe-annotations)`;
