/**
 * The fixtures of the OCI's schemas, in the directory $RUNT_OCI_SCHEMA_FIXTURES: DOCUMENT/good/*.json are accepted,
 * DOCUMENT/bad/*.json refused; DOCUMENT is config, features or state. They are not part of this project.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import validateConfig from '../../build/gen/validate-config.js';
import validateFeatures from '../../build/gen/validate-features.js';
import validatePlatforms from '../../build/gen/validate-platforms.js';
import validateState from '../../build/gen/validate-state.js';
import { loadSpec } from '../../src/spec/load-config.js';
import { RuntError } from '../../src/sys/error.js';
import { words } from './sample.js';

const directory = process.env.RUNT_OCI_SCHEMA_FIXTURES ?? '';
const test = suite('schema fixtures');
const schemas = {
  config: (document: unknown) => [validateConfig(document), validatePlatforms(document)].every(Boolean),
  features: validateFeatures,
  state: validateState,
};

/** Violations of rules beyond the schema in good configs. Configs for other platforms are refused by name. */
const REFUSED: Readonly<Record<string, string>> = {
  'linux-netdevice.json': '/linux/netDevices must be absent, or linux.namespaces must have an entry of type network',
  'freebsd-example.json': '/freebsd must be absent: it configures FreeBSD, and runt runs Linux containers',
  'freebsd-minimal.json': '/freebsd must be absent: it configures FreeBSD, and runt runs Linux containers',
  'zos-example.json': '/zos must be absent: it configures z/OS, and runt runs Linux containers',
  'zos-minimal.json': '/zos must be absent: it configures z/OS, and runt runs Linux containers',
};

/** Whether the schema accepts the JSON. */
function accepted(document: keyof typeof schemas, path: string): boolean {
  try {
    return schemas[document](JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    assert.instance(error, SyntaxError);
    return false;
  }
}

function complaints(path: string): string[] {
  try {
    loadSpec(path);
    return [];
  } catch (error) {
    if (!(error instanceof RuntError) || !error.violations) throw error;
    return words(error.violations);
  }
}

if (directory === '') {
  process.stdout.write('# skip schema fixtures: oci-fixtures: RUNT_OCI_SCHEMA_FIXTURES names no directory\n');
  test.skip('each fixture is accepted or refused according to its directory');
} else {
  let count = 0;
  for (const document of ['config', 'features', 'state'] as const) {
    for (const kind of ['good', 'bad']) {
      for (const name of readdirSync(join(directory, document, kind))) {
        const path = join(directory, document, kind, name);
        count++;
        test(`${document}/${kind}/${name} is accepted if it is good`, () => {
          assert.is(accepted(document, path), kind === 'good');
          if (document === 'config' && kind === 'good') {
            assert.equal(complaints(path), REFUSED[name] === undefined ? [] : [REFUSED[name]]);
          }
        });
      }
    }
  }
  test('there are fixtures of every kind', () => {
    assert.ok(count >= 6, `${count} fixtures`);
  });
}

test.run();
