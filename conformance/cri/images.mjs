// The images that the tests of CRI and of the kubelet pull, under the names that they request, made of a busybox root
// file system and a few programs.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch] ?? process.arch;

const passwd = `root:x:0:0:root:/root:/bin/sh
www-data:x:33:33:www-data:/:/bin/false
default-user:x:1000:1000:default user:/:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
`;
const group = `root:x:0:
www-data:x:33:
default-user:x:1000:
group-defined-in-image:x:50000:default-user
nogroup:x:65534:
`;

/** As far as Kubernetes' tests call it. Debian's busybox crashes at `wget -T`. */
const curl = `#!/bin/sh
for word; do
  case $word in http*) url=$word ;; esac
done
exec timeout 15 wget -q -O - "$url"
`;

/** Blobs by digest, and manifests by "NAME:TAG". */
export class Images {
  blobs = new Map();
  tags = new Map();

  /**
   * @param {string} rootfs made by hack/rootfs
   * @param {string} programs directory of the compiled programs of conformance/cri/programs
   */
  constructor(rootfs, programs) {
    const scratch = mkdtempSync(join(tmpdir(), 'images-'));
    /** A tree of files: path → one of our programs, the target of a link, or a text. */
    const layer = (name, files) => {
      const root = join(scratch, name);
      for (const [path, { program, link, text, mode }] of Object.entries(files)) {
        const at = join(root, path);
        mkdirSync(join(at, '..'), { recursive: true });
        if (link) {
          symlinkSync(link, at);
          continue;
        }
        if (program) copyFileSync(join(programs, program), at);
        else writeFileSync(at, text);
        chmodSync(at, mode ?? 0o755);
      }
      return this.#blob(tar(root));
    };
    const base = this.#blob(tar(rootfs));
    const etc = layer('etc', {
      'etc/passwd': { text: passwd, mode: 0o644 },
      'etc/group': { text: group, mode: 0o644 },
      'bin/ipcs': { program: 'ipcs' },
      'bin/pgrep': { program: 'pgrep' },
      'bin/sh': { program: 'sh' },
    });
    const linux = [base, etc];
    const web = (name) => [...linux, layer(name, { [`bin/${name}`]: { program: 'web' } })];

    const e2e = 'e2e-test-images';
    this.#image(`${e2e}/busybox:1.29-2`, linux, { Cmd: ['sh'] });
    this.#image(`${e2e}/nginx:1.14-2`, web('nginx'), { Cmd: ['nginx'] });
    this.#image(`${e2e}/httpd:2.4.39-4`, web('httpd'), { Cmd: ['/bin/httpd'] });
    const setuid = layer('nonewprivs', { 'bin/nnp': { program: 'nonewprivs', mode: 0o4755 } });
    this.#image(`${e2e}/nonewprivs:1.3`, [...linux, setuid], { Cmd: ['/bin/nnp'] });
    const pause = layer('pause', { pause: { program: 'pause' } });
    for (const name of ['pause:3.9', 'pause:3.10.1', 'sandbox:1'])
      this.#image(name, [pause], { Entrypoint: ['/pause'] }, name);

    // Those of Kubernetes' end-to-end tests of a node, as its test/utils/image/manifest.go has them.
    const nmeter = layer('nmeter', { 'bin/nmeter': { program: 'nmeter' } });
    this.#image(`${e2e}/busybox:1.37.0-1`, [...linux, nmeter], { Cmd: ['sh'] });
    for (const tag of ['1.14-4', '1.15-4']) this.#image(`${e2e}/nginx:${tag}`, web('nginx'), { Cmd: ['nginx'] }, tag);
    this.#image(`${e2e}/httpd:2.4.38-4`, web('httpd'), { Cmd: ['/bin/httpd'] }, '2.4.38-4');
    this.#image(`${e2e}/nonroot:1.4`, linux, { Cmd: ['id', '-u'], User: '1234' });
    if (existsSync(join(programs, '../bin/agnhost'))) {
      const agnhost = layer('agnhost', {
        agnhost: { program: '../bin/agnhost' },
        'agnhost-2': { link: 'agnhost' },
        // Its web server with TLS reads these.
        'localhost.crt': { program: '../bin/localhost.crt' },
        'localhost.key': { program: '../bin/localhost.key' },
        'bin/curl': { text: curl },
        'bin/nc': { program: 'nc' },
      });
      this.#image(`${e2e}/agnhost:2.56`, [...linux, agnhost], { Entrypoint: ['/agnhost'], Cmd: ['pause'] });
    }

    const staging = 'k8s-staging-cri-tools';
    this.#image(`${staging}/hostnet-nginx-${arch}:latest`, web('nginx'), { Cmd: ['nginx', '12003'] });
    for (const name of ['latest:latest', 'tag:test', 'tag:all', '1:latest', '2:latest', '3:latest'])
      this.#image(`${staging}/test-image-${name}`, linux, { Cmd: ['sh'] }, name);
    for (const tag of ['1', '2', '3']) this.#image(`${staging}/test-image-tags:${tag}`, linux, { Cmd: ['sh'] }, 'tags');
    for (const [name, User] of Object.entries({
      'user-uid': '1002',
      'user-username': 'www-data',
      'user-uid-group': '1003:users',
      'user-username-group': 'www-data:100',
      'predefined-group': '1000',
    }))
      this.#image(`${staging}/test-image-${name}:latest`, linux, { Cmd: ['sh'], User }, name);
  }

  /** Stores the bytes. @returns their descriptor, without a media type */
  #blob(bytes) {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    this.blobs.set(digest, bytes);
    return { digest, size: bytes.length };
  }

  /** `salt` makes the id of an image unique. */
  #image(name, layers, config, salt = '') {
    const json = (value) => Buffer.from(JSON.stringify(value));
    const description = this.#blob(
      json({
        architecture: arch,
        os: 'linux',
        author: salt,
        config: { Env: ['PATH=/bin:/sbin:/usr/bin:/usr/sbin'], ...config },
        rootfs: { type: 'layers', diff_ids: layers.map((l) => l.digest) },
      }),
    );
    const manifest = this.#blob(
      json({
        schemaVersion: 2,
        mediaType: MANIFEST,
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...description },
        layers: layers.map((l) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...l })),
      }),
    );
    this.tags.set(name, manifest.digest);
  }

  /** The manifest of a tag or digest: its digest and bytes. */
  manifest(name, reference) {
    const digest = reference.startsWith('sha256:') ? reference : this.tags.get(`${name}:${reference}`);
    const bytes = digest && this.blobs.get(digest);
    return bytes && { digest, bytes, mediaType: MANIFEST };
  }
}

/** The tree as a tar with hard links; the same tree gives the same bytes. */
function tar(root) {
  const options = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--exclude=./proc/*'];
  const { stdout, status, stderr } = spawnSync('tar', [...options, '-C', root, '-c', '.'], { maxBuffer: 1 << 30 });
  if (status !== 0) throw new Error(`tar ${root}: ${stderr}`);
  return stdout;
}
