/** The command lines that are measured, and containers that stay. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Command lines of `programs` ({name: path}) and of the program `floor`, with state directories below `work`. */
export class Commands {
  constructor(programs, floor, work) {
    Object.assign(this, { programs, floor, work });
  }

  /** The state directory of a program. */
  root(name) {
    const dir = join(this.work, `state-${name}`);
    mkdirSync(dir, { recursive: true });
    return dir;
  }

  /** `args` of a runtime; `flags` come before them. */
  call(name, args, flags = []) {
    return [this.programs[name], '--root', this.root(name), ...flags, ...args];
  }

  run(name, bundle, flags) {
    return name === 'floor'
      ? [[this.floor, 'run', this.root(name), bundle, '%i']]
      : [this.call(name, ['run', '--bundle', bundle, '%i'], flags)];
  }

  /** create, start, wait for the exit, delete; `cold`: with a new state directory each time. */
  threeSteps(name, bundle, cold = false) {
    const pid = join(this.work, `${name}-%i.pid`);
    if (name === 'floor') {
      const call = (verb, ...args) => [this.floor, verb, this.root(name), ...args];
      return [call('create', bundle, '%i', pid), call('start', '%i'), 'reap', call('delete', '%i')];
    }
    const call = (...args) =>
      cold ? [this.programs[name], '--root', join(this.root(`${name}-cold`), '%i'), ...args] : this.call(name, args);
    return [
      call('create', '--bundle', bundle, '--pid-file', pid, '%i'),
      call('start', '%i'),
      'reap',
      call('delete', '%i'),
    ];
  }

  /** Creates and starts a sleeping container. It outlives the command, so it must not hold its stdio open. */
  keep(name, id, bundle) {
    for (const args of [['create', '--bundle', bundle], ['start']])
      execFileSync('sh', ['-c', '"$@" </dev/null >"$0" 2>&1', this.#log(name), ...this.call(name, [...args, id])]);
  }

  /** What the last `keep` printed. */
  kept(name) {
    return readFileSync(this.#log(name), 'utf8');
  }

  #log(name) {
    return join(this.work, `keep-${name}`);
  }

  /** Removes kept containers and what an interrupted round left. */
  sweep() {
    for (const name of Object.keys(this.programs)) {
      for (const id of readdirSync(this.root(name))) {
        if (!id.startsWith('.')) spawnSync(...head(this.call(name, ['delete', '--force', id])), { stdio: 'ignore' });
      }
    }
  }
}

const head = ([program, ...args]) => [program, args];
