/** The table of results. */

const print = (cells, width = 11) =>
  process.stdout.write(`${cells.map((c, i) => (i === 0 ? c.padEnd(38) : c.padStart(width))).join('')}\n`);

/** Prints a row ({name: summary}) as it is measured: one line for each program. */
export function printRow(row, who) {
  const base = who.floor ?? who['/bin/true'];
  Object.entries(who).forEach(([name, s], i) => {
    const head = [i === 0 ? row : '', name];
    if (s.calls !== undefined) print([...head, `${s.calls} system calls`], 19);
    else if (s.private !== undefined) print([...head, `${s.private} KB private`, `${s.pss} KB PSS`], 19);
    else
      print([
        ...head,
        ...[s.median, s.p95, s.p99, s.cpu].map((n) => n.toFixed(2)),
        who.runt && name !== 'runt' ? (who.runt.median / s.median).toFixed(2) : '',
        base ? (s.median / base.median).toFixed(2) : '',
        s.rate.toFixed(0),
        String(s.faults),
        (s.rss / 1024).toFixed(1),
      ]);
  });
}

/** Prints the head of the table. */
export function printHead(versions) {
  for (const [name, text] of Object.entries(versions)) process.stdout.write(`  ${name}: ${text}\n`);
  process.stdout.write('\n');
  print(['', 'who', 'median', 'p95', 'p99', 'CPU', 'runt / it', '/ floor', 'runs/s', 'faults', 'peak MB']);
}
