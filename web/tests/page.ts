// The page in a browser without a window, served by `inkling page`: what it writes, what it refuses, what it
// asks for. Pictures of it are left for people to look at.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Browser, type BrowserContextOptions, type Page, chromium } from 'playwright-core';

import { given, run, sample } from './given';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const DESK = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

const server = spawn(given('INKLING_PROGRAM'), ['page', '--no-open', '--port', '0', '--folder', given('INKLING_PAGE')], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const address = await firstLine(server);
const browser: Browser = await chromium.launch({ executablePath: given('INKLING_BROWSER'), args: FLAGS });
const folder = mkdtempSync(join(tmpdir(), 'inkling-page-'));

/** The first line that a program prints. */
function firstLine(program: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    program.stdout?.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      if (text.includes('\n')) resolve(text.split('\n')[0] ?? '');
    });
    program.on('exit', (code) => reject(new Error(`inkling page ended (${code})`)));
  });
}

/** Opens the page in a browser that knows nothing yet; whatever goes wrong in it fails the test. */
async function visit(
  link: string,
  test: (page: Page) => Promise<void>,
  options: BrowserContextOptions = { viewport: DESK },
): Promise<void> {
  const context = await browser.newContext(options);
  const faults: string[] = [];
  const asked: string[] = [];
  try {
    const page = await context.newPage();
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) faults.push(message.text());
    });
    page.on('pageerror', (error) => faults.push(error.message));
    context.on('request', (request) => asked.push(request.url()));
    await page.goto(address + link);
    await test(page);
  } finally {
    await context.close();
  }
  assert.deepEqual(faults, []);
  assert.deepEqual(asked.filter((url) => !url.startsWith(address) && !url.startsWith('blob:')), []);
}

/** Waits until all texts are complete, and answers with them. */
async function texts(page: Page, count = 1): Promise<string[]> {
  await page.waitForFunction(
    (count) =>
      document.getElementById('texts')?.getAttribute('aria-busy') === 'false' &&
      document.querySelectorAll('.sheet footer').length === count,
    count,
    { timeout: 30_000 },
  );
  return page.locator('.text').evaluateAll((all) => all.map((one) => one.textContent ?? ''));
}

const checksums = (page: Page) => page.locator('.checksum').allTextContents();

const hash = (options: Record<string, string>) => `#${new URLSearchParams(options)}`;

await run({
  async the_page_writes_what_the_command_line_writes() {
    for (const [model, prompt, temperature, topK, topP, guard, seed, length] of [
      ['shakespeare-64k', '', '0.8', '0', '1', 'text', '1', '1000'],
      ['shakespeare-32k', 'ROMEO:\n', '0.5,1.3', '5', '0.9', '3', '18446744073709551615', '300'],
      ['english-256k', 'Don’t – naïve', '0', '0', '1', 'off', '7', '400'],
      ['shakespeare-512k', 'Now is the', '1', '40', '1', 'text', '99', '300'],
    ] as const) {
      const options = { temperature, 'top-k': topK, 'top-p': topP, guard, seed, length, prompt };
      const wanted = sample(model, Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]));
      await visit(hash({ model, ...options }), async (page) => {
        assert.deepEqual(await texts(page, wanted.length), wanted.map(({ text }) => text));
        assert.deepEqual(await checksums(page), wanted.map(({ checksum }) => checksum));
      });
    }
  },

  async a_link_restores_all_settings() {
    const link = { model: 'english-64k', prompt: 'a & b', temperature: '0.4, 1.1', 'top-k': '9', seed: '5', length: '80' };
    await visit(hash(link), async (page) => {
      const before = await texts(page, 2);
      for (const [name, value] of Object.entries(link)) {
        assert.equal(await page.locator(`#${name}`).inputValue(), value);
      }
      // What is changed is in the address at once, and does the same elsewhere.
      await page.fill('#seed', '6');
      await page.fill('#prompt', 'two\nlines');
      await page.click('#write');
      await page.waitForFunction(() => location.hash.includes('seed=6'));
      const changed = await texts(page, 2);
      assert.notDeepEqual(changed, before);
      const address = page.url();
      await page.goto('about:blank');
      await page.goto(address);
      assert.deepEqual(await texts(page, 2), changed);
    });
  },

  async a_damaged_image_gets_the_engines_sentence_and_the_model_stays() {
    const sound = readFileSync('weights/english-64k.img');
    const damaged = Buffer.from(sound);
    damaged[5000] = (damaged[5000] ?? 0) ^ 1;
    const cut = sound.subarray(0, 30_000);
    const newer = Buffer.from(sound);
    newer.writeUInt16LE(99, 4);
    await visit('', async (page) => {
      await texts(page);
      for (const [bytes, sentence] of [
        [damaged, 'it.img: the model image is damaged: its checksum does not match'],
        [cut, `it.img: the model image is cut short: 30000 of ${sound.length} bytes`],
        [Buffer.from('hello'), 'it.img: this is not a model image'],
        [newer, /^it\.img: the model image has format version 99, this program reads/],
      ] as const) {
        await drop(page, 'it.img', bytes);
        await page.waitForFunction(() => document.getElementById('refused')?.textContent !== '');
        const said = (await page.textContent('#refused')) ?? '';
        if (typeof sentence === 'string') assert.equal(said, sentence);
        else assert.match(said, sentence);
        assert.equal(await page.inputValue('#model'), 'shakespeare-64k');
        await page.evaluate(() => document.getElementById('refused')?.replaceChildren());
      }
      await page.click('#write');
      assert.equal((await texts(page))[0], sample('shakespeare-64k', [])[0]?.text);
    });
  },

  async an_image_of_ones_own_writes_and_its_link_asks_for_it() {
    const file = join(folder, 'mine.img');
    writeFileSync(file, readFileSync('weights/shakespeare-40k.img'));
    await visit(hash({ length: '200' }), async (page) => {
      await texts(page);
      await page.setInputFiles('#file', file);
      await page.waitForFunction(() => location.hash.includes('checksum='));
      assert.equal((await texts(page))[0], sample(file, ['--length', '200'])[0]?.text);
      const address = page.url();
      await page.goto('about:blank');
      await page.goto(address.replace('shakespeare-40k', 'novel'));
      await texts(page);
      assert.match((await page.textContent('#refused')) ?? '', /about the model novel \([0-9a-f]{8}\).*drop its image here/);
    });
  },

  async settings_that_make_no_sense_are_told_where_they_stand() {
    await visit('', async (page) => {
      await texts(page);
      for (const [name, value, sentence] of [
        ['temperature', 'hot', 'temperature: expected a number from 0 to 65.535, such as 0.8'],
        ['temperature', '1,1,1,1,1', 'temperature: at most 4 can stand side by side'],
        ['top-k', '-3', 'top-k: expected a whole number from 0 to 255'],
        ['top-p', '', 'top-p: expected a number from 0 to 65.535, such as 0.8'],
        ['seed', '1.5', 'seed: expected a whole number from 0 to 18446744073709551615'],
        ['length', '0', 'length: expected a whole number from 1 to 100000'],
      ] as const) {
        const before = await page.inputValue(`#${name}`);
        await page.evaluate(() => document.getElementById('more')?.setAttribute('open', ''));
        await page.fill(`#${name}`, value);
        await page.click('#write');
        await page.waitForFunction(() => document.getElementById('error')?.textContent !== '');
        assert.equal(await page.textContent('#error'), sentence);
        assert.equal(await page.getAttribute(`#${name}`, 'aria-invalid'), 'true');
        await page.fill(`#${name}`, before);
        await page.click('#write');
        await page.waitForFunction(() => document.getElementById('error')?.textContent === '');
        await texts(page);
      }
    });
  },

  async a_character_shows_what_else_it_could_have_been() {
    await visit(hash({ length: '200', temperature: '1' }), async (page) => {
      const [text = ''] = await texts(page);
      // By keys: the third character.
      await page.focus('.text');
      for (let key = 0; key < 3; key += 1) await page.keyboard.press('ArrowRight');
      const rows = page.locator('#choice li');
      assert.equal(await rows.count(), 10);
      const taken = text[2] === ' ' ? '␣' : text[2] === '\n' ? '⏎' : text[2];
      assert.match((await page.textContent('#choice p')) ?? '', new RegExp(`^“${escaped(taken ?? '')}” had`));
      assert.match((await page.textContent('#said')) ?? '', /Likeliest: .* %, .* %, .* %/);
      await page.keyboard.press('Escape');
      assert.ok(await page.locator('#choice').isHidden());
      // By the pointer: where a letter stands.
      const spot = await page.evaluate(() => {
        const node = document.querySelector('.text')?.lastChild;
        const range = document.createRange();
        if (!node) return null;
        range.setStart(node, 30);
        range.setEnd(node, 31);
        const { left, top, width, height } = range.getBoundingClientRect();
        return { x: left + width / 2, y: top + height / 2, character: range.toString() };
      });
      assert.ok(spot);
      await page.mouse.move(spot.x, spot.y);
      await page.waitForSelector('#choice:not([hidden])');
      const sums = await page.locator('#choice li span:last-child').allTextContents();
      assert.ok(sums.every((share) => / %$/.test(share)), sums.join());
      await page.mouse.move(5, 5);
      await page.waitForSelector('#choice', { state: 'hidden' });
    });
  },

  async a_text_that_is_being_written_can_be_stopped() {
    await visit(hash({ length: '100' }), async (page) => {
      await texts(page);
      await page.fill('#length', '100000');
      await page.selectOption('#model', 'shakespeare-512k');
      await page.waitForFunction(() => document.getElementById('write')?.textContent === 'Stop' && document.querySelector('.text')?.textContent);
      await page.click('#write');
      await page.waitForFunction(() => document.getElementById('write')?.textContent === 'Write');
      const length = () => page.evaluate(() => document.querySelector('.text')?.textContent?.length ?? 0);
      const stopped = await length();
      assert.ok(stopped < 100_000);
      await page.waitForTimeout(100);
      assert.equal(await length(), stopped);
    });
  },

  async a_pico_in_the_page_prints_what_the_command_line_prints() {
    const model = 'shakespeare-32k';
    const [wanted] = sample(model, ['--seed', '5', '--temperature', '0.7', '--length', '150', '--prompt', 'Come']);
    const same = { temperature: '0.9', 'top-k': '30', 'top-p': '0.95', seed: '11', prompt: 'What say', length: '60' };
    await visit(hash({ model, ...same }), async (page) => {
      await texts(page);
      await page.click('#emulate');
      await page.waitForFunction(() => document.getElementById('screen')?.textContent?.includes('# model: '));
      await page.click('#same');
      await page.waitForFunction(
        () => document.getElementById('screen')?.textContent?.includes('The same 68 characters as on the page.'),
        null,
        { timeout: 120_000 },
      );
      await converse(page, wanted?.text ?? '');
      assert.match((await page.textContent('#status')) ?? '', new RegExp(`^pico · .* · temperature 0.7 · seed 5 · ${model}$`));
      await page.screenshot({ path: join(given('INKLING_PICTURES'), 'board.png'), fullPage: true });
      // The log has all of it.
      const [download] = await Promise.all([page.waitForEvent('download'), page.click('#save')]);
      assert.ok(readFileSync(await download.path(), 'utf8').includes(wanted?.text ?? '-'));
      await page.click('#leave');
      await page.waitForFunction(() => document.getElementById('status')?.textContent === 'not connected');
    });
  },

  async a_board_behind_a_serial_port_is_talked_to_alike() {
    const [wanted] = sample('shakespeare-64k', ['--seed', '5', '--temperature', '0.7', '--length', '150', '--prompt', 'Come']);
    await visit(hash({ length: '20' }), async (page) => {
      await texts(page);
      // A cable that leads to a Pico, which is emulated; it keeps the model that it was flashed with.
      await page.evaluate(() => {
        const lead = async () => {
          const worker = new Worker('pico.js', { type: 'module' });
          const list = (await (await fetch('firmware/boards.json')).json()) as { bin: string }[];
          const firmware = await (await fetch(`firmware/${list[0]?.bin}`)).arrayBuffer();
          let pull: ReadableStreamDefaultController<Uint8Array>;
          const readable = new ReadableStream<Uint8Array>({ start: (controller) => void (pull = controller) });
          worker.addEventListener('message', ({ data }) => {
            if (data.kind === 'printed') pull.enqueue(data.bytes);
          });
          const writable = new WritableStream<Uint8Array>({
            write: (bytes) => worker.postMessage({ kind: 'typed', bytes }),
          });
          worker.postMessage({ kind: 'boot', firmware, model: null, at: 0 });
          (window as unknown as { pullThePlug: () => void }).pullThePlug = () => {
            port.readable = null;
            pull.error(new Error('The device has been lost.'));
          };
          const port = {
            readable: readable as ReadableStream<Uint8Array> | null,
            writable,
            open: async ({ baudRate }: { baudRate: number }) => {
              if (baudRate !== 115200) throw new Error(`not at ${baudRate}`);
            },
            setSignals: async () => {},
            close: async () => worker.terminate(),
          };
          return port;
        };
        Object.defineProperty(navigator, 'serial', { value: { requestPort: lead }, configurable: true });
      });
      await page.click('#connect');
      await converse(page, wanted?.text ?? '');
      await page.evaluate(() => (window as unknown as { pullThePlug: () => void }).pullThePlug());
      await page.waitForFunction(() => document.getElementById('screen')?.textContent?.includes('The board is gone'));
      assert.equal(await page.textContent('#status'), 'not connected');
    });
  },

  async a_file_for_a_drive_is_what_flash_copies_there() {
    const model = 'english-256k';
    await visit(hash({ model, length: '20' }), async (page) => {
      await texts(page);
      for (const [board, id, title] of [
        ['pico', 'RPI-RP2', 'Raspberry Pi Pico (RP2040)'],
        ['pico2', 'RP2350', 'Raspberry Pi Pico 2 (RP2350)'],
      ] as const) {
        const [download] = await Promise.all([
          page.waitForEvent('download'),
          page.click(`#files button:text-is("${title}")`),
        ]);
        assert.equal(download.suggestedFilename(), `${model}-${board}.uf2`);
        const made = readFileSync(await download.path());
        const drive = join(folder, board);
        mkdirSync(drive);
        writeFileSync(join(drive, 'INFO_UF2.TXT'), `Board-ID: ${id}\r\n`);
        const firmware = join(given('INKLING_PAGE'), `firmware/inkling-${board}.uf2`);
        const line = ['flash', '--board', board, '--firmware', firmware, '--model', model, '--drive', drive, '--no-monitor'];
        const flash = spawn(given('INKLING_PROGRAM'), line, { stdio: 'ignore' });
        // It would wait for a board to take the file.
        const copied = join(drive, 'INKLING.UF2');
        const size = () => (existsSync(copied) ? statSync(copied).size : 0);
        for (let wait = 0; size() < made.length && wait < 600; wait += 1) await page.waitForTimeout(50);
        flash.kill();
        assert.ok(readFileSync(copied).equals(made), `${board}: the files differ`);
      }
    });
  },

  async a_browser_without_serial_ports_is_told_what_to_do() {
    await visit(
      hash({ length: '20' }),
      async (page) => {
        await page.addInitScript(() => {
          delete (Navigator.prototype as unknown as { serial?: unknown }).serial;
        });
        await page.reload();
        await texts(page);
        assert.ok(await page.isDisabled('#connect'));
        assert.match((await page.textContent('#no-serial')) ?? '', /This browser has no serial ports.*Chrome.*inkling monitor/s);
        assert.ok(await page.isVisible('#no-serial'));
      },
      { viewport: PHONE },
    );
  },

  async a_port_that_is_not_given_gets_a_sentence() {
    await visit(hash({ length: '20' }), async (page) => {
      await texts(page);
      for (const [name, sentence] of [
        ['NotFoundError', /^No port was chosen\.$/],
        ['SecurityError', /^The browser gives no port: /],
      ] as const) {
        await page.evaluate((name) => {
          const requestPort = () => Promise.reject(new DOMException('it was refused', name));
          Object.defineProperty(navigator, 'serial', { value: { requestPort }, configurable: true });
        }, name);
        await page.click('#connect');
        await page.waitForFunction(() => document.getElementById('trouble')?.textContent !== '');
        assert.match((await page.textContent('#trouble')) ?? '', sentence);
        await page.evaluate(() => document.getElementById('trouble')?.replaceChildren());
      }
    });
  },

  async the_page_fits_a_phone_and_a_desk() {
    for (const [name, viewport, colorScheme] of [
      ['desk', DESK, 'light'],
      ['desk-dark', DESK, 'dark'],
      ['phone', PHONE, 'light'],
      ['phone-dark', PHONE, 'dark'],
    ] as const) {
      await visit(
        hash({ prompt: 'ROMEO:\n', temperature: name.startsWith('desk') ? '0.5, 0.8' : '0.8', length: '500' }),
        async (page) => {
          await texts(page, name.startsWith('desk') ? 2 : 1);
          const picture = (part: string) => join(given('INKLING_PICTURES'), `${name}${part}.png`);
          await page.screenshot({ path: picture(''), fullPage: true });
          await page.focus('.text');
          for (let key = 0; key < 40; key += 1) await page.keyboard.press('ArrowRight');
          await page.screenshot({ path: picture('-choice') });
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(wide <= 0, `${name} is ${wide} pixels too wide`);
        },
        { viewport, colorScheme },
      );
    }
  },

  async everything_can_be_reached_with_the_keyboard_and_has_a_name() {
    await visit(hash({ length: '50' }), async (page) => {
      await texts(page);
      const reached = new Set<string>();
      for (let key = 0; key < 30; key += 1) {
        await page.keyboard.press('Tab');
        reached.add(await page.evaluate(() => document.activeElement?.id || document.activeElement?.className || ''));
      }
      for (const name of ['skip', 'model', 'file', 'prompt', 'temperature', 'length', 'seed', 'another', 'write', 'link', 'text']) {
        assert.ok(reached.has(name), `${name} cannot be reached: ${[...reached]}`);
      }
      const nameless = await page.evaluate(() =>
        [...document.querySelectorAll('input, select, textarea, button')]
          .filter((node) => !(node as HTMLInputElement).labels?.length && !node.textContent?.trim())
          .map((node) => node.id),
      );
      assert.deepEqual(nameless, []);
    });
  },
});

/** Has the board write a passage that must be this text. */
async function converse(page: Page, wanted: string): Promise<void> {
  const done = (text: string) =>
    page.waitForFunction((text) => document.getElementById('screen')?.textContent?.includes(text), text, { timeout: 120_000 });
  await done('# model: ');
  for (const line of ['/pause', '/rate max', '/topk 0', '/topp 1', '/temp 0.7', '/len 150', '/seed 5', 'Come', '/resume']) {
    await page.fill('#line', line);
    await page.keyboard.press('Enter');
    await done(`> ${line}`);
  }
  await done('# end: seed 5, 150 characters');
  const passage = await page.evaluate(() => {
    const nodes = [...(document.getElementById('screen')?.childNodes ?? [])];
    const text = nodes.map((node) => (node instanceof Text ? node.data : `\n\u0000${node.textContent}\n`)).join('');
    // From the start of the passage to its end, without the board's own lines.
    const from = text.lastIndexOf('\u0000# start: seed 5');
    const to = text.lastIndexOf('\n\u0000# end: seed 5');
    return text.slice(text.indexOf('\n', from) + 1, to).replaceAll(/\n\u0000.*\n/g, '');
  });
  assert.equal(passage, wanted);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Drops a file on the page. */
async function drop(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  await page.evaluate(
    ({ name, bytes }) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], name));
      dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    },
    { name, bytes: [...bytes] },
  );
}

await browser.close();
server.kill();
rmSync(folder, { recursive: true });
