/** killed-scripts.ts with cgroups that runt makes. */
import { needing } from '../bed/bed.js';
import { testKilledScripts } from './killed-scripts.js';

const test = needing('killed scripts', 'root', 'cgroups', 'unshare', 'mount', 'flock', 'bash', 'jq');
testKilledScripts(test, 'cgroupfs');
test.run();
