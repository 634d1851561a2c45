// The results of h2spec, and a call of each method by grpcurl: judge.mjs GRPCURL SOCKET DIR RUNT. DIR has h2spec.xml,
// and a root file system in rootfs.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';

const [grpcurl, socket, dir, runt] = process.argv.slice(2);
const run = promisify(execFile);
const known = JSON.parse(readFileSync(new URL('known.json', import.meta.url), 'utf8'));
let [passed, failed] = [0, 0];

function count(isRight, what) {
  if (isRight) passed++;
  else {
    failed++;
    console.log(`FAILED ${what}`);
  }
}

// ── h2spec ──

const xml = readFileSync(`${dir}/h2spec.xml`, 'utf8');
const excused = new Map(known.map(({ why }) => [why, []]));
for (const [, group, name, rest] of xml.matchAll(
  /<testcase package="([^"]*)" classname="([^"]*)"[^>]*>((?:(?!<\/testcase>)[\s\S])*)/g,
)) {
  const test = `${group} | ${name.replaceAll('&#34;', '"')}`;
  const fails = /<(failure|error|skipped)/.test(rest);
  const excuse = known.find((entry) => new RegExp(entry.test).test(test));
  if (fails && excuse) excused.get(excuse.why).push(test);
  else count(!fails, `h2spec: ${test}`);
}
const cases = passed + failed;
if (cases < 100) throw new Error(`h2spec ended early: ${cases} tests`);
console.log(`h2spec: ${passed} passed, ${failed} failed`);
for (const [why, tests] of excused) {
  console.log(`excused: ${tests.length} tests, because ${why}`);
  count(tests.length > 0, `known.json: nothing fails because ${why}`);
}

// ── grpcurl ──

const url = `unix:${socket}`;
/** What grpcurl prints, errors included. */
const printed = (...args) =>
  run(grpcurl, ['-plaintext', ...args], { timeout: 60_000 }).then(
    ({ stdout }) => stdout,
    ({ stdout, stderr }) => stdout + stderr,
  );
const spec = `${dir}/config.json`;
await run(runt, ['spec', '--bundle', dir]);
const config = JSON.parse(readFileSync(spec, 'utf8'));
config.process = { ...config.process, terminal: false, args: ['/bin/sleep', '1000'] };
writeFileSync(spec, JSON.stringify(config));

const task = 'containerd.task.v3.Task';
const containers = 'runt.v1.Containers';
const health = 'grpc.health.v1.Health';
const [id, bundle] = ['web', dir];
const kept = { id: 'kept', bundle };
// Each method, its request and what grpcurl prints; `ends` is for a stream that the client ends after a second. Exec
// and Update of containerd's service take JSON in an Any, which grpcurl cannot write; for a checkpoint criu may be
// missing.
const steps = [
  [task, 'Create', { id, bundle }, /"pid": \d+/],
  [task, 'State', { id }, /"status": "CREATED"/],
  [task, 'Start', { id }, /"pid": \d+/],
  [task, 'Connect', { id }, /"taskPid": \d+/],
  [task, 'Pids', { id }, /"processes": \[/],
  [task, 'Stats', { id }, /"@type": "io\.containerd\.cgroups\.v[12]\.Metrics"/],
  [task, 'Exec', { id, execId: 'x' }, /InvalidArgument\s[\s\S]*Exec of x has no spec/],
  [task, 'Update', { id }, /InvalidArgument/],
  [task, 'Checkpoint', { id, path: `${dir}/checkpoint` }, /^(?![\s\S]*(Unimplemented|Unavailable))/],
  [task, 'Pause', { id }, /^\{\}\s*$/],
  [task, 'Resume', { id }, /^\{\}\s*$/],
  [task, 'CloseIO', { id, stdin: true }, /^\{\}\s*$/],
  [task, 'ResizePty', { id, width: 80, height: 25 }, /^\{\}\s*$/],
  [task, 'Kill', { id, signal: 9 }, /^\{\}\s*$/],
  [task, 'Wait', { id }, /"exitStatus": 137/],
  [task, 'Delete', { id }, /"exitStatus": 137/],
  [containers, 'Create', kept, /"id": "kept"/],
  [containers, 'Start', { id: 'kept' }, /"status": "RUNNING"/],
  [containers, 'Run', { id, bundle, detach: true }, /"started": \{/],
  [containers, 'Exec', { id, args: ['/bin/sh', '-c', 'exit 7'] }, /"started"[\s\S]*"exited"[\s\S]*"status": 7/],
  [containers, 'List', {}, /"id": "kept"[\s\S]*"id": "web"/],
  [containers, 'Get', { id }, /"status": "RUNNING"/],
  [containers, 'Attach', { open: { id } }, /"attached"[\s\S]*DeadlineExceeded/, 'ends'],
  [containers, 'Watch', { id }, /"present"[\s\S]*DeadlineExceeded/, 'ends'],
  [containers, 'Kill', { id: 'kept', signal: 'KILL' }, /^\{\}\s*$/],
  [containers, 'Wait', { id: 'kept' }, /"status": 137/],
  [containers, 'Delete', { id, force: true }, /^\{\}\s*$/],
  [health, 'Check', {}, /"SERVING"/],
  [health, 'Watch', {}, /"SERVING"[\s\S]*DeadlineExceeded/, 'ends'],
  [task, 'Shutdown', { id }, /^\{\}\s*$/],
];
const services = (await printed(url, 'list')).trim().split('\n');
// grpcurl itself calls reflection.
for (const service of services.filter((name) => !name.startsWith('grpc.reflection.'))) {
  for (const name of (await printed(url, 'list', service)).trim().split('\n')) {
    const isCalled = steps.some(([of, method]) => `${of}.${method}` === name);
    count(isCalled, `grpcurl: nothing calls ${name}`);
  }
}
for (const [service, method, request, pattern, ends] of steps) {
  const limit = ends ? ['-max-time', '1'] : [];
  const text = await printed(...limit, '-d', JSON.stringify(request), url, `${service}/${method}`);
  count(pattern.test(text), `grpcurl: ${service}/${method}: ${text}`);
}
console.log(`runt: ${passed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed > 0 ? 1 : 0;
