/** Resource limits, and oom_score_adj. */
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';

const test = needing('rlimits', 'root');

test(
  'soft and hard limits are those of the config',
  onBed((bed) => {
    bed.config.process.rlimits = [
      { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
      { type: 'RLIMIT_CORE', soft: 0, hard: 4096 },
      { type: 'RLIMIT_FSIZE', soft: 18446744073709551615n, hard: 18446744073709551615n },
      { type: 'RLIMIT_CPU', soft: 9007199254740993n, hard: 9007199254740993n },
    ];
    const said = bed.out('cat /proc/self/limits');
    assert.match(said, /Max open files +100 +200 /);
    assert.match(said, /Max core file size +0 +4096 /);
    assert.match(said, /Max file size +unlimited +unlimited /);
    assert.match(said, /Max cpu time +9007199254740993 +9007199254740993 /);
  }),
);

test(
  'a limit of open files is enforced',
  onBed((bed) => {
    bed.config.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 8, hard: 8 }];
    const r = bed.sh(
      'exec 3</etc/passwd 4</etc/passwd 5</etc/passwd 6</etc/passwd 7</etc/passwd; ( exec 8</etc/passwd ) || echo refused',
    );
    assert.match(r.stdout, /refused/);
  }),
);

test(
  'an unknown limit is refused by name',
  onBed((bed) => {
    bed.config.process.rlimits = [{ type: 'RLIMIT_SLEEP', soft: 1, hard: 1 }];
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /RLIMIT_SLEEP/);
  }),
);

test(
  'oomScoreAdj is set',
  onBed((bed) => {
    bed.config.process.oomScoreAdj = 321;
    assert.is(bed.out('cat /proc/self/oom_score_adj'), '321\n');
  }),
);

test.run();
