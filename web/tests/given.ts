// What the tests are given by `cargo xtask page --test`, and how they say what they found.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

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
