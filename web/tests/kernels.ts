// The engine's modules in node: kernels against plain arithmetic, and texts against the command line.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { Engine } from '../page/engine';
import { checks, given, image, run, sample } from './given';

const MODULES = ['engine', 'engine-vectors', 'prompt'];

const ROUNDS = 1500;

async function compiled(name: string): Promise<WebAssembly.Module> {
  return WebAssembly.compile(readFileSync(`${given('INKLING_PAGE')}/${name}.wasm`));
}

await run({
  async the_kernel_with_vectors_equals_plain_arithmetic() {
    const { kernels_differ } = await checks();
    for (const seed of [1n, 2n, 3n]) assert.equal(kernels_differ(ROUNDS, seed), 0);
  },

  async every_module_writes_what_the_command_line_writes() {
    for (const name of MODULES) {
      const module = await compiled(name);
      for (const model of ['shakespeare-32k', 'shakespeare-256k', 'english-64k']) {
        const engine = await Engine.open(module, image(model));
        assert.equal(engine.hasVectors, name === 'engine-vectors');
        const settings = { temperature: '0.9', topK: '20', topP: '0.95', guard: 'text', seed: '42' };
        const prompt = 'Once more';
        const writer = engine.begin(settings, prompt);
        const half = engine.write(writer, 200, true);
        assert.equal(half.choices.length, 200 * 35);
        const text = prompt + half.text + engine.write(writer, 200, false).text;
        const [wanted] = sample(model, [
          '--temperature', '0.9', '--top-k', '20', '--top-p', '0.95', '--seed', '42', '--length', '400', '--prompt', prompt,
        ]);
        assert.equal(text, wanted?.text, `${name}, ${model}`);
        assert.equal(engine.checksum(text), wanted?.checksum);
      }
    }
  },

  async prompts_are_read_as_the_command_line_reads_them() {
    const engine = await Engine.open(await compiled('prompt'), image('shakespeare-32k'));
    for (const prompt of ['Don’t “say” naïve…\r\nПривет', 'plain', '😀', '', 'A\tB']) {
      const { text } = engine.readPrompt(prompt);
      const [wanted] = sample('shakespeare-32k', ['--prompt', prompt, '--length', '0']);
      assert.equal(text, wanted?.text, prompt);
      assert.equal(engine.knows(prompt), text === prompt, prompt);
    }
    assert.match(engine.readPrompt('a😀').note, /^left out of the prompt what the model does not know: "😀"$/);
  },
});
