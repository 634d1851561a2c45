/** How often the tests of security attack, and how they show that an attack works. */
import { type ChildProcess, spawn } from 'node:child_process';
import * as assert from 'uvu/assert';
import { program } from '../native/init/perform.js';

/** Containers for each attack; `make test-all` sets 200. */
export const ROUNDS = Number(process.env.RUNT_ATTACK_ROUNDS ?? 25);

/** ms within which an attack must work on a weakened program; runc needs some 80 containers, 8 s, for one of them. */
const EFFECT_LIMIT = 240_000;

/** Exchanges two names in `dir`, in a process of its own, while `body` runs. */
export async function whileExchanging<T>(dir: string, names: [string, string], body: () => Promise<T>): Promise<T> {
  const attacker: ChildProcess = spawn(program('swap'), names, { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    const result = await body();
    assert.is(attacker.exitCode, null, 'the attacker has ended');
    return result;
  } finally {
    await ended(attacker);
  }
}

/** Kills an attacker, and waits until it exchanges nothing any more: then its files can be removed. */
export async function ended(attacker: ChildProcess): Promise<void> {
  const over = new Promise((settle) => attacker.once('close', settle));
  if (attacker.kill('SIGKILL')) await over;
}

/** Repeats an attack until it works. Returns the number of rounds; throws if it does not work in time. */
export async function roundsUntil(works: () => boolean | Promise<boolean>): Promise<number> {
  const deadline = Date.now() + EFFECT_LIMIT;
  for (let round = 1; Date.now() < deadline; round++) {
    if (await works()) return round;
    await new Promise((next) => setImmediate(next));
  }
  throw new Error(`the attack did not work within ${EFFECT_LIMIT / 1000} s`);
}

/**
 * Repeats an attack ROUNDS times, and on until `isEnough` (a race can be lost each time in ROUNDS); requires that it
 * never works. Throws if `isEnough` is not true in time.
 */
export async function neverWorks(
  works: () => boolean | Promise<boolean>,
  isEnough: () => boolean = () => true,
): Promise<void> {
  const deadline = Date.now() + EFFECT_LIMIT;
  for (let round = 0; round < ROUNDS || !isEnough(); round++) {
    assert.ok(Date.now() < deadline || round < ROUNDS, `not enough in ${round} rounds`);
    assert.is(await works(), false, `the attack works in round ${round}`);
    await new Promise((next) => setImmediate(next));
  }
}
