/** Shells that run the commands of a page on a copy of the machine's files. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMMAND_LIMIT, DEADLINE, eventually } from '../../deadline.js';
import { runtPath, top } from '../bed/place.js';

/** A bash that runs one command after the other. hack/release/newcomer.mjs imports it too. */
export class Shell {
  readonly #bash: ChildProcess;
  #text = '';
  #ended = false;

  constructor(program: string, args: readonly string[], env: Record<string, string>) {
    this.#bash = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#bash.stdout!.on('data', (data: Buffer) => {
      this.#text += data.toString();
    });
    this.#bash.on('exit', () => {
      this.#ended = true;
    });
    this.#bash.stdin!.on('error', () => {});
    this.#bash.stdin!.write('exec 2>&1\n');
  }

  /** Runs a command and returns its output (stdout and stderr) and its status. */
  async type(command: string, ms = COMMAND_LIMIT): Promise<{ lines: string[]; status: number }> {
    this.#text = '';
    const mark = `--- ${Math.random()}`;
    // The command must not read the shell's own input.
    this.#bash.stdin!.write(`{ ${command}\n} </dev/null\nprintf '\\n%s %d\\n' '${mark}' $?\n`);
    const look = () => {
      const at = this.#text.indexOf(`\n${mark} `);
      const end = at < 0 ? -1 : this.#text.indexOf('\n', at + 1);
      if (end < 0 && this.#ended) throw new Error(`the shell ended: ${command}\n${this.#text}`);
      return end >= 0 && at;
    };
    const at = await eventually(`the end of: ${command}`, look, ms);
    const printed = this.#text.slice(0, at);
    return {
      lines: printed === '' ? [] : printed.replace(/\n$/, '').split('\n'),
      status: Number.parseInt(this.#text.slice(at + 2 + mark.length), 10),
    };
  }

  /** Closes the shell's input, and kills the shell if it still hangs. */
  async end(): Promise<void> {
    this.#bash.stdin!.end();
    if (this.#ended) return;
    const timer = setTimeout(() => this.#bash.kill('SIGKILL'), DEADLINE);
    await new Promise<void>((resolve) => this.#bash.once('exit', () => resolve()));
    clearTimeout(timer);
  }
}

/** A machine with files of its own: no other process sees what its shells write, and it ends with them. */
export class Machine {
  readonly #users = new Map<string, Shell>();

  private constructor(
    readonly root: Shell,
    private readonly env: Record<string, string>,
    private readonly dir: string,
  ) {}

  /**
   * Private mount and network namespaces, entered by pivot_root: the machine's root file system below an overlay, with
   * a /home, a /srv and a /run of its own, and with runt in /usr/local/bin. Directories of `shared` are the machine's.
   */
  static async make(variables: Record<string, string>, shared: readonly string[] = []): Promise<Machine> {
    const dir = realpathSync(mkdtempSync(join(tmpdir(), 'runt-docs-')));
    chmodSync(dir, 0o755);
    for (const name of ['home', 'srv', 'layer', 'root']) mkdirSync(join(dir, name));
    const env = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      LC_ALL: 'C.UTF-8',
      HOME: '/root',
      CHECKOUT: top,
      DEBIAN_FRONTEND: 'noninteractive',
      ...variables,
    };
    // Container names are cgroup names too, so only one such machine runs at a time.
    const lock = ['--no-fork', join(tmpdir(), 'runt-docs.lock')];
    const shell = new Shell('flock', [...lock, 'unshare', '--mount', '--net', '--propagation', 'private', 'bash'], env);
    const machine = new Machine(shell, env, dir);
    try {
      for (const command of machine.#setup(shared)) {
        const { lines, status } = await shell.type(command);
        if (status !== 0) throw new Error(`${command}: ${lines.join('\n')}`);
      }
    } catch (error) {
      await machine.end();
      throw error;
    }
    return machine;
  }

  #setup(shared: readonly string[]): string[] {
    const dir = this.dir;
    const root = `${dir}/root`;
    return [
      // On a file system of its own: a lower layer must not contain the upper one.
      `mount -t tmpfs tmpfs ${dir}/layer && mkdir ${dir}/layer/upper ${dir}/layer/work`,
      `mount -t overlay -o lowerdir=/,upperdir=${dir}/layer/upper,workdir=${dir}/layer/work overlay ${root}`,
      ...['proc', 'sys', 'dev'].map((name) => `mount --rbind /${name} ${root}/${name}`),
      ...['home', 'srv'].map((name) => `mount --bind ${dir}/${name} ${root}/${name}`),
      // The checkout may be below /tmp.
      `mount -t tmpfs -o mode=1777 tmpfs ${root}/tmp`,
      `mkdir -p ${root}${top} ${root}/old && mount --rbind ${top} ${root}${top}`,
      `mount -t tmpfs -o mode=755 tmpfs ${root}/run`,
      ...shared.map((path) => `mkdir -p ${root}${path} && mount --rbind ${path} ${root}${path}`),
      `install -D -m 755 ${runtPath} ${root}/usr/local/bin/runt`,
      `ln -sf runt ${root}/usr/local/bin/containerd-shim-runt-v1`,
      // Another dpkg may be at work on the machine.
      `rm -f ${root}/var/lib/dpkg/updates/[0-9]*`,
      `cd ${root} && pivot_root . old && umount -l old && rmdir old && cd /root`,
      // As under systemd on Debian: a mount that a container leaks would be visible.
      'mount --make-rshared /',
    ];
  }

  /** Starts a shell of a user, or returns the running one. */
  async shell(name: string): Promise<Shell> {
    if (name === 'root') return this.root;
    let shell = this.#users.get(name);
    if (!shell) {
      const pid = (await this.root.type('echo $$')).lines[0]!;
      const [uid = '', gid = ''] = (await this.root.type(`id -u ${name}; id -g ${name}`)).lines;
      const as = ['setpriv', '--reuid', uid, '--regid', gid, '--init-groups', 'bash'];
      const env = { ...this.env, HOME: `/home/${name}`, USER: name };
      shell = new Shell('nsenter', [`--mount=/proc/${pid}/ns/mnt`, `--wdns=/home/${name}`, ...as], env);
      this.#users.set(name, shell);
    }
    return shell;
  }

  async end(): Promise<void> {
    for (const shell of this.#users.values()) await shell.end();
    await this.root
      .type(`for id in $(${runtPath} list --quiet); do ${runtPath} delete --force $id; done`)
      .catch(() => {});
    await this.root.end();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
