// The Markdown table of judge.mjs.

/** The most losses of one program that are listed: a program that aborts loses hundreds. */
const LISTED = 5;

/** @param judged the findings of judge.mjs, program by program; runt's result is the first */
export function table(judged, names, versions) {
  const lines = [`Versions: ${versions.join('; ')}.`, '', `| program | ${names.join(' | ')} | remarks |`];
  lines.push(`|---${'|---'.repeat(names.length)}|---|`);
  const losses = [];
  for (const { program, results, flaky, lost, failed } of judged) {
    const remarks = new Set();
    for (const { entry } of [...lost, ...failed]) {
      if (entry) remarks.add(reason(entry));
    }
    if (flaky.length > 0) remarks.add(`not the same each time: ${flaky.length} assertions`);
    lines.push(`| ${program} | ${results.map(cell).join(' | ')} | ${[...remarks].join('; ')} |`);
    for (const { assertion, entry } of lost.slice(0, LISTED)) losses.push({ program, assertion, entry, results });
    if (lost.length > LISTED)
      losses.push({ program, assertion: `and ${lost.length - LISTED} more`, entry: lost[0].entry, results });
  }
  lines.push(
    '',
    'A cell has the assertions that hold, of all that were made; those that a program skips are not counted.',
    '',
  );
  if (losses.length === 0) lines.push('No assertion that crun or runc passes fails with runt.');
  else {
    lines.push(`Assertions that ${names.slice(1).join(' or ')} passes and runt does not:`, '');
    lines.push(`| program | assertion | ${names.join(' | ')} | why |`, `|---|---${'|---'.repeat(names.length)}|---|`);
    for (const { program, assertion, entry, results } of losses) {
      const states = results.map(
        (one) => (assertion === 'the program' ? one.outcome : one.asserted.get(assertion)) ?? '–',
      );
      const why = entry ? reason(entry) : '**not known**';
      lines.push(`| ${program} | ${escaped(assertion)} | ${states.join(' | ')} | ${why} |`);
    }
  }
  return `${lines.join('\n')}\n\n`;
}

function cell({ outcome, asserted, ended }) {
  const states = [...asserted.values()];
  const passed = states.filter((state) => state === 'passed').length;
  const failed = states.filter((state) => state === 'failed').length;
  const counts = passed + failed > 0 ? ` ${passed}/${passed + failed}` : '';
  const mark = outcome === 'failed' ? '**failed**' : outcome;
  return `${mark}${counts}${ended === '' ? '' : `, ${ended}`}`;
}

const reason = ({ why, clause }) => (clause === undefined ? why : `${why} (${clause})`);
const escaped = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
