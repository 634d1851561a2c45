/** killed-scripts.ts with scopes of systemd. */
import { needing } from '../bed/bed.js';
import { testKilledScripts } from '../lifecycle/killed-scripts.js';

const test = needing(
  'killed scripts, systemd',
  'root',
  'cgroup-v2',
  'systemd',
  'systemctl',
  'mount',
  'flock',
  'bash',
  'jq',
);
testKilledScripts(test, 'systemd');
test.run();
