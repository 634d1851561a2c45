/** The static binary with planted faults: unhandled rejections after FAULTY_AFTER ms. Runs in QuickJS. */
import '../../src/entry/static-binary.js';
import { host } from '../../src/sys/host.js';
import { sleep } from '../../src/sys/waiting/loop.js';

const begin = (globalThis as unknown as { runtMain(): void }).runtMain;

async function fail(what: string): Promise<void> {
  // By then the shim has answered once.
  await sleep(Number(host.env.FAULTY_AFTER ?? 0));
  throw new Error(what);
}

Object.assign(globalThis, {
  runtMain() {
    begin();
    // The third rejection is handled, which must not hide the others.
    for (const what of ['an unhandled rejection', 'another one', 'a third']) {
      const failing = fail(what);
      if (what === 'a third') failing.catch(() => {});
    }
  },
});
