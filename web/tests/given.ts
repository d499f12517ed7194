// What the tests are given by `cargo xtask page --test`, and how they say what they found.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import type { Memory } from '../page/engine';

interface Checks extends Memory {
  kernels_differ(rounds: number, seed: bigint): number;
  make_up(symbols: number, hidden: number): void;
}

/** A variable of the environment that must be there. */
export function given(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run cargo xtask page --test`);
  return value;
}

/** A text as the command line has it. */
export interface Sampled {
  temperature: number;
  seed: number;
  text: string;
  characters: number;
  checksum: string;
}

/** What `inkling sample` prints. */
export function sample(model: string, options: string[]): Sampled[] {
  const line = ['sample', model, '--json', ...options];
  return JSON.parse(execFileSync(given('INKLING_PROGRAM'), line, { encoding: 'utf8' })) as Sampled[];
}

export function image(name: string): Uint8Array {
  return new Uint8Array(readFileSync(`weights/${name}.img`));
}

/** The functions that only tests need. */
export async function checks(): Promise<Checks> {
  const module = await WebAssembly.compile(readFileSync(given('INKLING_CHECKS')));
  return (await WebAssembly.instantiate(module)).exports as unknown as Checks;
}

/** The image of a model that was made up. */
export async function made(symbols: number, hidden: number): Promise<Uint8Array> {
  const exports = await checks();
  exports.make_up(symbols, hidden);
  return new Uint8Array(exports.memory.buffer, exports.output(), exports.output_bytes()).slice();
}

/** Runs tests one after the other; the program fails if one does. */
export async function run(tests: Record<string, () => Promise<void>>): Promise<void> {
  const only = process.argv[2] ?? '';
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    if (!name.includes(only)) continue;
    const start = performance.now();
    try {
      await test();
      console.log(`ok      ${name} (${(performance.now() - start).toFixed(0)} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}\n${error instanceof Error ? error.stack : error}`);
    }
  }
  if (failed > 0) process.exitCode = 1;
}
