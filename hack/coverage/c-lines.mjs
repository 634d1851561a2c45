// Lines of a C program, and the blocks of each line (hack/coverage/counters.c counts the blocks).
import { execFileSync } from 'node:child_process';
import { relative } from 'node:path';

const COUNTER = '__sanitizer_cov_trace_pc';
const tool = (name, args, input) =>
  execFileSync(name, args, { input, encoding: 'utf8', maxBuffer: 1 << 29, stdio: ['pipe', 'pipe', 'inherit'] });

/**
 * For each file below `top` its lines with code; for each line the offsets of its blocks: the address after the block's
 * call of the counter, minus the address of the counter.
 */
export function cLines(program, top) {
  const { counter, places } = blocksOf(tool('objdump', ['-d', '--no-show-raw-insn', program]));
  const addresses = [...places.keys()];
  const positions = tool('addr2line', ['-e', program], addresses.map((a) => `${a.toString(16)}\n`).join('')).split(
    '\n',
  );
  const files = new Map();
  addresses.forEach((address, n) => {
    const { 1: file, 2: line } = /^(.*):(\d+)/.exec(positions[n]) ?? [];
    const path = file && relative(top, file);
    if (!path || path.startsWith('..') || line === '0') return;
    const lines = files.get(path) ?? new Map();
    files.set(path, lines);
    const blocks = lines.get(Number(line)) ?? new Set();
    lines.set(Number(line), blocks.add(places.get(address) - counter));
  });
  return files;
}

/** For each instruction of a function that counts, the offset of its block. */
function blocksOf(disassembly) {
  const places = new Map();
  let counter = 0;
  let instructions = [];
  let calls = [];
  const endFunction = () => {
    if (calls.length > 0) {
      let call = 0;
      for (const address of instructions) {
        while (call + 1 < calls.length && calls[call + 1].at <= address) call++;
        places.set(address, calls[call].back);
      }
    }
    instructions = [];
    calls = [];
  };
  for (const line of disassembly.split('\n')) {
    const { 1: start, 2: name } = /^([0-9a-f]+) <(.+)>:$/.exec(line) ?? [];
    if (name) {
      endFunction();
      if (name === COUNTER) counter = Number.parseInt(start, 16);
      continue;
    }
    const { 1: hex, 2: instruction } = /^ *([0-9a-f]+):\t(.*)/.exec(line) ?? [];
    if (!hex) continue;
    const address = Number.parseInt(hex, 16);
    const last = calls.at(-1);
    if (last && last.back === undefined) last.back = address;
    instructions.push(address);
    if (instruction.includes(`<${COUNTER}>`)) calls.push({ at: address });
  }
  endFunction();
  return { counter, places };
}
