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

const isEmpty = (answer) => Object.keys(answer).length === 0;
const service = 'containerd.task.v3.Task';
const call = async (method, request) => {
  const { stdout } = await run(grpcurl, ['-plaintext', '-d', JSON.stringify(request), `unix:${socket}`, method], {
    timeout: 60_000,
  });
  return JSON.parse(stdout);
};
const spec = `${dir}/config.json`;
await run(runt, ['spec', '--bundle', dir]);
const config = JSON.parse(readFileSync(spec, 'utf8'));
config.process = { ...config.process, terminal: false, args: ['/bin/sleep', '1000'] };
writeFileSync(spec, JSON.stringify(config));

const { stdout: listed } = await run(grpcurl, ['-plaintext', `unix:${socket}`, 'list', service]);
const methods = listed
  .trim()
  .split('\n')
  .map((name) => name.slice(service.length + 1));
const id = 'web';
// Exec and Update take JSON in an Any, which grpcurl cannot write; for a checkpoint criu may be missing.
const steps = [
  ['Create', { id, bundle: dir }, ({ pid }) => pid > 0],
  ['State', { id }, ({ status }) => status === 'CREATED'],
  ['Start', { id }, ({ pid }) => pid > 0],
  ['Connect', { id }, ({ taskPid }) => taskPid > 0],
  ['Pids', { id }, ({ processes }) => processes.length === 1],
  ['Stats', { id }, ({ stats }) => /^io\.containerd\.cgroups\.v[12]\.Metrics$/.test(stats['@type'])],
  ['Exec', { id, execId: 'x' }, ({ error }) => /Exec of x has no spec/.test(error)],
  ['Update', { id }, ({ error }) => /InvalidArgument/.test(error)],
  ['Checkpoint', { id, path: `${dir}/checkpoint` }, ({ error = '' }) => !/Unimplemented|Unavailable/.test(error)],
  ['Pause', { id }, isEmpty],
  ['Resume', { id }, isEmpty],
  ['CloseIO', { id, stdin: true }, isEmpty],
  ['ResizePty', { id, width: 80, height: 25 }, isEmpty],
  ['Kill', { id, signal: 9 }, isEmpty],
  ['Wait', { id }, ({ exitStatus }) => exitStatus === 137],
  ['Delete', { id }, ({ exitStatus }) => exitStatus === 137],
  ['Shutdown', { id }, isEmpty],
];
for (const method of methods)
  count(
    steps.some(([name]) => name === method),
    `grpcurl: nothing calls ${method}`,
  );
for (const [method, request, isRight] of steps) {
  const answer = await call(`${service}/${method}`, request).catch(({ stderr }) => ({ error: stderr }));
  count(isRight(answer), `grpcurl: ${method}: ${JSON.stringify(answer)}`);
}
console.log(`runt: ${passed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed > 0 ? 1 : 0;
