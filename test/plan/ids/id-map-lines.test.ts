/** crun's id mappings in a mount option. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { relativeRanges } from '../../../src/plan/ids/id-map-lines.js';
import type { RuntError } from '../../../src/sys/error.js';

const mapping = (containerID: number, hostID: number, size: number) => ({ containerID, hostID, size });

test('ranges of both kinds are parsed in order', () => {
  assert.equal(relativeRanges('uids=0-1-10#10-11-5;gids=0-100-10', undefined, '/mounts/0'), {
    uids: [mapping(0, 1, 10), mapping(10, 11, 5)],
    gids: [mapping(0, 100, 10)],
  });
});

test('@ makes the second id one of the container', () => {
  const linux = { uidMappings: [mapping(0, 0, 1), mapping(1, 2, 1000)], gidMappings: [mapping(0, 500, 10)] };
  assert.equal(relativeRanges('gids=@0-3-7;uids=@1-3-10', linux, '/mounts/0'), {
    uids: [mapping(1, 4, 10)],
    gids: [mapping(0, 503, 7)],
  });
});

for (const [text, why] of [
  ['uids=0-1-10', /both/],
  ['', /only uids/],
  ['uids=0-1-10;gids=0-1-10;', /only uids/],
  ['uids=0-1-10;uids=0-1-10', /twice/],
  ['uids=0-1-0;gids=0-1-1', /"0-1-0" is not a range/],
  ['uids=0-1;gids=0-1-1', /"0-1" is not a range/],
  ['uids=0-4294967295-1;gids=0-1-1', /is not a range/],
  ['uids=0x1-1-1;gids=0-1-1', /is not a range/],
  ['uids=@0-0-2;gids=0-1-1', /not within one mapping/],
] as const) {
  test(`idmap=${text} is refused`, () => {
    const linux = { uidMappings: [mapping(0, 0, 1), mapping(1, 2, 1000)] };
    assert.throws(
      () => relativeRanges(text, linux, '/mounts/3'),
      (e: RuntError) => e.code === 'ERR_SPEC_VALUE' && e.pointer === '/mounts/3/options' && why.test(e.message),
    );
  });
}

test.run();
