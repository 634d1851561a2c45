/** The user of an image: names and numbers, with files that may hold anything. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mappedUser, userOf } from '../../src/image/image-user.js';

const files = {
  'etc/passwd': 'root:x:0:0::/:/bin/sh\nwww:x:33:34::/:\n33:x:0:0:a name of digits:/:\nshort:x:1\nempty:x::0::/:\n#c\n',
  'etc/group': 'root:x:0:\nwww:x:34:www\nmore:x:77:a,www,b\nmore:x:78:www\nhalf:x:5:ww,w\nbad:x:4294967295:\n',
};
const read = (path: keyof typeof files): string => files[path];
const of = (text: string) => userOf(text, 'the user', read);
const refused = (text: string, message: RegExp) => assert.throws(() => of(text), message, text);

test('a name has the ids of its line, and the groups that list it', () => {
  assert.equal(of('www'), { uid: 33, gid: 34, additionalGids: [77, 78] });
  assert.equal(of('root'), { uid: 0, gid: 0 });
});

test('digits are a number, even where a name of digits exists', () => {
  assert.equal(of('33'), { uid: 33, gid: 34, additionalGids: [77, 78] });
  assert.equal(of('44'), { uid: 44, gid: 0 });
  assert.equal(of('0'), { uid: 0, gid: 0 });
  assert.equal(of('4294967294'), { uid: 4294967294, gid: 0 });
});

test('with a group there are no other groups', () => {
  assert.equal(of('www:more'), { uid: 33, gid: 77 });
  assert.equal(of('7:8'), { uid: 7, gid: 8 });
  assert.equal(of('www:0'), { uid: 33, gid: 0 });
});

test('what is neither a known name nor an id is refused, and never becomes root', () => {
  for (const text of ['', ':', ':0', 'www:', 'a:b:c']) refused(text, /is not USER\[:GROUP\]/);
  refused('nobody', /a user that the image's \/etc\/passwd does not have/);
  refused('short', /does not have/);
  refused('www:none', /a group that the image's \/etc\/group does not have/);
  refused('empty', /the id "", which is not a number/);
  refused('www:bad', /the id "4294967295", which is not a number/);
  for (const text of ['4294967295', '18446744073709551616']) refused(text, /not a number from 0 to 4294967294/);
  for (const text of ['-1', '+1', '1e3', '0x0', ' 0', '1.0']) refused(text, /does not have/);
});

test('files that are missing have no names', () => {
  assert.throws(() => userOf('root', 'the user', () => ''), /does not have/);
  assert.equal(
    userOf('5', 'the user', () => ''),
    { uid: 5, gid: 0 },
  );
});

test('a user namespace must map the user and the group, and keeps the groups that it maps', () => {
  const maps = (...sizes: number[]) => sizes.map((size) => ({ containerID: 0, hostID: 100000, size }));
  const user = { uid: 33, gid: 34, additionalGids: [77, 500] };
  const linux = { uidMappings: maps(100), gidMappings: maps(100) };
  assert.equal(mappedUser(user, 'www', 'the user', linux), { user: { ...user, additionalGids: [77] }, lost: [500] });
  assert.equal(mappedUser(user, 'www', 'the user', undefined), { user, lost: [] });
  const one = { uidMappings: maps(1), gidMappings: maps(1) };
  assert.throws(() => mappedUser(user, 'www', 'the user', one), /is 33:34, which the user namespace does not map/);
  assert.equal(mappedUser({ uid: 0, gid: 0 }, '0', 'the user', one), { user: { uid: 0, gid: 0 }, lost: [] });
});

test.run();
