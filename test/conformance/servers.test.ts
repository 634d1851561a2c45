/** docs/recipes/servers.md has the lines that conformance/servers runs. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('servers');

test('every server that is run is on the page, with its flags', () => {
  const page = readFileSync('docs/recipes/servers.md', 'utf8').replaceAll('\\\n  ', '').replaceAll(/['"]/g, '');
  const programs = readFileSync('conformance/servers/programs', 'utf8').replaceAll('\\\n  ', '');
  const found = [...programs.matchAll(/^program (\S+) '([^']*)' (?:-|'([^']*)') /gm)];
  assert.ok(found.length >= 17, `${found.length} programs`);
  for (const [, name, flags, command] of found) {
    if (command === undefined) assert.match(page, `\`${name === 'apt' ? 'apt-get' : name}\``);
    else {
      const line = `${flags === '' ? '' : `${flags} `}-- ${command}`
        .replaceAll('VERSION', '15')
        .replaceAll(/["\\]/g, '');
      const user = (text: string) => text.replaceAll(/--user (?:\d+:\d+|REDIS|POSTGRES)/g, '--user ID');
      assert.ok(user(page).includes(user(line)), line);
    }
  }
});

test.run();
