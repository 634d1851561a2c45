/** Platforms of images. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fits, parsePlatform, platformOfMachine, platformText } from '../../src/image/platform.js';

test('machines of uname(2) have the names of Go', () => {
  assert.equal(platformOfMachine('x86_64'), { os: 'linux', architecture: 'amd64' });
  assert.equal(platformOfMachine('armv7l'), { os: 'linux', architecture: 'arm', variant: 'v7' });
  assert.throws(() => platformOfMachine('vax'), /no name for the machine vax/);
  assert.throws(() => platformOfMachine(''), /no name for the machine/);
});

test('a platform has two or three parts', () => {
  for (const text of ['linux/arm64', 'linux/arm/v6']) assert.is(platformText(parsePlatform(text)!), text);
  for (const text of ['', 'linux', 'linux/', '/amd64', 'linux/arm/', 'linux/arm/v6/x']) assert.not(parsePlatform(text));
});

test('a variant that is not named is the usual one', () => {
  const fit = (a: string, b: string) => fits(parsePlatform(a)!, parsePlatform(b)!);
  assert.ok(fit('linux/arm64', 'linux/arm64/v8'));
  assert.ok(fit('linux/amd64/v1', 'linux/amd64'));
  assert.ok(fit('linux/arm', 'linux/arm/v7'));
  for (const [a, b] of [
    ['linux/arm', 'linux/arm/v6'],
    ['linux/amd64/v3', 'linux/amd64'],
    ['linux/arm64', 'linux/amd64'],
    ['windows/amd64', 'linux/amd64'],
  ] as const)
    assert.not(fit(a, b), `${a} ${b}`);
});

test.run();
