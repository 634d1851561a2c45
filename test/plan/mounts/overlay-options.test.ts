/** The directories of an overlay, as mount options. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { lowerLayers, overlayOptions } from '../../../src/plan/mounts/overlay-options.js';

test('relative directories are resolved from the bundle, absolute ones are unchanged', () => {
  assert.equal(overlayOptions(['lowerdir=a:/b', 'upperdir=up', 'workdir=/w', 'index=off', 'ro'], '/bundle'), [
    'lowerdir=/bundle/a:/b',
    'upperdir=/bundle/up',
    'workdir=/w',
    'index=off',
    'ro',
  ]);
});

test('a list that fits into one fsconfig value stays one option, with its escapes', () => {
  assert.equal(overlayOptions(['lowerdir=/a\\:b:/c\\\\d::/e'], '/bundle'), ['lowerdir=/a\\:b:/c\\\\d::/e']);
});

test('a longer list becomes one option for each layer, unescaped, with datadir+ for data layers', () => {
  const long = `/${'x'.repeat(250)}`;
  assert.equal(overlayOptions([`lowerdir=/a\\:b:${long}:c::/d`], '/bundle'), [
    'lowerdir+=/a:b',
    `lowerdir+=${long}`,
    'lowerdir+=/bundle/c',
    'datadir+=/d',
  ]);
  const forty = Array.from({ length: 40 }, (_, i) => `/layer/${i}`);
  assert.equal(
    overlayOptions([`lowerdir=${forty.join(':')}`], '/bundle'),
    forty.map((path) => `lowerdir+=${path}`),
  );
});

test('lowerLayers splits a list into layers and data layers', () => {
  assert.equal(lowerLayers('/a:/b::/c::/d'), [
    { path: '/a', data: false },
    { path: '/b', data: false },
    { path: '/c', data: true },
    { path: '/d', data: true },
  ]);
  assert.equal(lowerLayers(''), []);
});

test.run();
