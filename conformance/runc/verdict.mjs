// What a test's results with runc and with runt mean.

/**
 * What a test counts as with runt.
 * @param states with runc and with runt: "passed", "failed", "skipped", or "absent" if the file did not end
 * @returns "passed", "failed" (runc passes), "both" (it fails with runc too) or "skipped"
 */
export function outcome([expected, own]) {
  if (own === 'passed') return 'passed';
  if (expected === 'passed') return 'failed';
  return own === 'skipped' || expected === 'skipped' ? 'skipped' : 'both';
}

/**
 * The excuse of `known` for a test.
 * @param as root, rootless or plain
 * @param cgroup version and manager of cgroups: "v1", "v2 cgroupfs", "v2 systemd"
 */
export const excuseOf = (known, name, as, cgroup = 'v1') =>
  known.find(
    (excuse) =>
      excuse.tests.includes(name) && (excuse.as?.includes(as) ?? true) && cgroup.startsWith(excuse.cgroup ?? ''),
  );

/**
 * Why a test fails the run: undefined if it does not.
 * @param written its states with runc and with runt as it is written
 * @param without the same without its assertions about words
 */
export function objection(written, without, excuse) {
  if (written[1] === 'passed') return excuse && 'PASSED, but is excused';
  if (outcome(written) !== 'failed') return undefined;
  if (!excuse) return 'FAILED';
  return excuse.words && outcome(without) !== 'passed' ? 'FAILED without words too' : undefined;
}
