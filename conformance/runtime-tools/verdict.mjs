// The judgement of results of several runtimes: losses of runt, failures without a reason, majorities of several runs.
// Pure.

/** Assertions that crun or runc passes and runt does not; `the program` if only its exit differs. */
export function losses([runt, ...peers]) {
  const lost = new Set();
  for (const peer of peers) {
    for (const [assertion, state] of peer.asserted) {
      if (state === 'passed' && runt.asserted.get(assertion) !== 'passed') lost.add(assertion);
    }
    // Only if no assertion explains it.
    if (peer.outcome !== 'failed' && runt.outcome === 'failed' && lost.size === 0) lost.add('the program');
  }
  return [...lost];
}

/** Assertions that fail with runt; `the program` for a bad exit, `nothing is asserted` for no result. */
export function failures([runt]) {
  const failed = [...runt.asserted].filter(([, state]) => state === 'failed').map(([assertion]) => assertion);
  if (runt.ended !== '') failed.push('the program');
  if (runt.outcome === 'skipped') failed.push('nothing is asserted');
  return failed;
}

/**
 * The majority of several runs: one result for each runtime, from the majority for each assertion and exit; and the
 * varying assertions.
 */
export function majority(runs, names) {
  const flaky = [];
  const results = names.map((name, i) => {
    const mine = runs.map((results) => results[i]);
    const most = (values) => {
      const counts = new Map();
      for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
      return [...counts].sort(([, a], [, b]) => b - a)[0][0];
    };
    const asserted = new Map();
    for (const assertion of new Set(mine.flatMap((one) => [...one.asserted.keys()]))) {
      const states = mine.map((one) => one.asserted.get(assertion));
      if (new Set(states).size > 1) flaky.push(`${name}: ${assertion}`);
      const state = most(states);
      if (state !== undefined) asserted.set(assertion, state);
    }
    const outcome = most(mine.map((one) => one.outcome));
    return { ...mine.find((one) => one.outcome === outcome), outcome, asserted };
  });
  return { results, flaky };
}

/**
 * The entry of known.json for an assertion. An entry without `assertion` is for a whole program. For `the program` (its
 * exit) any entry with an assertion of the program matches, because the exit follows from the assertion.
 */
export function entryOf(known, program, assertion, wanted = () => true) {
  return known.find(
    (entry) =>
      entry.programs.includes(program) &&
      wanted(entry) &&
      (entry.assertion === undefined || assertion === 'the program' || assertion.startsWith(entry.assertion)),
  );
}

/** The entry that excuses a failure with runt that passes with another runtime. */
export function excuse(known, program, assertion) {
  return entryOf(known, program, assertion, ({ clause, broken, before }) => clause || broken || before);
}

/** Whether an entry of known.json is for this host; the release of a kernel is such as 6.12.63-um. */
export function isFor({ cgroup, driver, before }, host) {
  if ((cgroup ?? host.cgroup) !== host.cgroup || (driver ?? host.driver) !== host.driver) return false;
  if (before === undefined) return true;
  const [[major, minor], [a, b]] = [host.kernel, before].map((version) => version.split('.').map(Number.parseFloat));
  return major < a || (major === a && minor < b);
}
