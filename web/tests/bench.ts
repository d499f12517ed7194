// How fast the engine's modules write in node: prints characters a second as JSON, for `cargo xtask bench page`.
//
//   node bench.mjs CHARACTERS ROUNDS MODEL...

import { readFileSync } from 'node:fs';

import { Engine } from '../page/engine';
import { given, image } from './given';

const [characters, rounds, ...models] = process.argv.slice(2);
const settings = { temperature: '0.8', topK: '0', topP: '1', guard: 'text', seed: '1' };

const speeds: Record<string, Record<string, number>> = {};
for (const name of ['engine', 'engine-vectors']) {
  const module = await WebAssembly.compile(new Uint8Array(readFileSync(`${given('INKLING_PAGE')}/${name}.wasm`)));
  for (const model of models) {
    const engine = await Engine.open(module, image(model));
    let best = Infinity;
    for (let round = 0; round < Number(rounds); round += 1) {
      const writer = engine.begin(settings, '');
      const start = performance.now();
      engine.write(writer, Number(characters), false);
      best = Math.min(best, performance.now() - start);
      engine.end();
    }
    speeds[model] = { ...speeds[model], [name]: (1000 * Number(characters)) / best };
  }
}
console.log(JSON.stringify(speeds));
