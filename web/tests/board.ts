// Boards and the page: the Pico that runs in it, one behind a stand-in for the browser's serial port, and files
// for drives.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Page } from 'playwright-core';

import { PHONE, close, escaped, folder, hash, texts, visit } from './browser';
import { layCable, layCableToABoardThatSays, plug, pull, silence, typedBytes } from './cable';
import { given, made, run, sample } from './given';

await run({
  async a_pico_in_the_page_prints_what_the_command_line_prints() {
    const model = 'shakespeare-32k';
    const wanted = passageOf(model);
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
      await converse(page, wanted);
      await says(page, 'status', new RegExp(`^pico · paused · temperature 0.7 · seed 5 · ${model}$`));
      await page.screenshot({ path: join(given('INKLING_PICTURES'), 'board.png'), fullPage: true });
      // The log has all of it.
      const [download] = await Promise.all([page.waitForEvent('download'), page.click('#save')]);
      assert.ok(readFileSync(await download.path(), 'utf8').includes(wanted));
      // It takes another model as a real one does.
      const { file, bytes } = await small();
      await open(page, file);
      await page.click('#send-model');
      await shown(page, `made-up: ${bytes} bytes sent in `);
      await converse(page, passageOf(file, 8), 8);
      await page.click('#leave');
      await says(page, 'status', /^not connected$/);
    });
  },

  async a_board_behind_a_serial_port_is_talked_to_alike() {
    await visit(hash({ length: '20' }), async (page) => {
      await texts(page);
      await layCable(page);
      await page.click('#connect');
      await converse(page, passageOf('shakespeare-64k'));
      await pull(page);
      await page.waitForFunction(() => document.getElementById('screen')?.textContent?.includes('The board is gone'));
      assert.equal(await page.textContent('#status'), 'not connected');
    });
  },

  async a_model_that_is_sent_from_the_page_is_what_the_board_writes_with() {
    const { file, bytes } = await small();
    await visit(hash({ length: '20' }), async (page) => {
      await texts(page);
      await layCable(page);
      await page.click('#connect');
      await shown(page, '# model: shakespeare-64k');
      await open(page, file);
      await page.click('#send-model');
      await reaches(page, 4096);
      assert.ok(await page.isDisabled('#line'));
      await page.screenshot({ path: join(given('INKLING_PICTURES'), 'sending.png'), fullPage: true });
      await shown(page, new RegExp(`made-up: ${bytes} bytes sent in [0-9.]+ s, the board writes with it`));
      assert.ok(await page.isHidden('#sending'));
      assert.ok(!(await screen(page)).includes('# load: '));
      await converse(page, passageOf(file));
      await says(page, 'status', / · made-up$/);
      // It need not be sent again.
      await page.click('#send-model');
      await shown(page, 'made-up: the board writes with it already');
    });
  },

  async a_model_goes_on_where_a_break_or_the_reader_stopped_it() {
    const { file, bytes } = await small(96);
    await visit(hash({ length: '20' }), async (page) => {
      await texts(page);
      await layCable(page);
      await page.click('#connect');
      await shown(page, '# model: shakespeare-64k');
      await open(page, file);
      await page.click('#send-model');
      await reaches(page, 4096);
      await pull(page);
      await shown(page, 'The board is gone: it is waited for.');
      assert.ok(await page.isVisible('#sending'));
      await plug(page);
      await shown(page, 'The board is there again.');
      await reaches(page, 8192);
      await page.click('#stop');
      await says(page, 'trouble', /^interrupted: the board keeps its model/);
      await shown(page, '# load: given up');
      // The text has gone on; then so does the model.
      const before = await typedBytes(page);
      await page.fill('#line', '/send');
      await page.keyboard.press('Enter');
      await shown(page, `made-up: ${bytes} bytes sent in `);
      const again = (await typedBytes(page)) - before;
      const most = 200 * Math.ceil((bytes - 8192 + 256) / 128);
      assert.ok(again < most, `${again} bytes were typed again, and ${most} are enough`);
      await converse(page, passageOf(file));
    });
  },

  async a_model_that_is_given_up_while_the_board_is_gone_ends_the_connection() {
    const { file } = await small();
    await visit(hash({ length: '20' }), async (page) => {
      await texts(page);
      await layCable(page);
      await page.click('#connect');
      await shown(page, '# model: shakespeare-64k');
      await open(page, file);
      await page.click('#send-model');
      await page.waitForSelector('#sending:not([hidden])');
      await pull(page);
      await shown(page, 'The board is gone: it is waited for.');
      await page.click('#stop');
      await says(page, 'status', /^not connected$/);
      assert.ok(await page.isHidden('#sending'));
      // Another connection begins anew.
      await plug(page);
      await page.click('#connect');
      await converse(page, passageOf('shakespeare-64k'));
    });
  },

  async noise_on_the_cable_costs_time_and_changes_nothing() {
    const { file, bytes } = await small(48);
    await visit(hash({ length: '20' }), async (page) => {
      await texts(page);
      await open(page, file);
      await layCable(page, { noise: 3001 });
      await page.click('#connect');
      await page.click('#send-model');
      await shown(page, `made-up: ${bytes} bytes sent in `);
      await silence(page);
      await converse(page, passageOf(file));
    });
  },

  async a_board_that_takes_no_such_model_says_why() {
    await visit(hash({ length: '20' }), async (page) => {
      await texts(page);
      const sentence = "this board's program cannot write to its flash: use `inkling flash`";
      for (const [line, said] of [
        [`load: refused: ${sentence}`, `the board does not take the model: ${sentence}`],
        ['unknown command /load: /help lists them', "the board's program is older than this and takes no model over the line: flash it first"],
      ] as const) {
        await layCableToABoardThatSays(page, line);
        await page.click('#connect');
        await page.click('#send-model');
        await says(page, 'trouble', new RegExp(`^cannot send shakespeare-64k: ${escaped(said)}$`));
        await page.click('#leave');
        await says(page, 'status', /^not connected$/);
      }
      // A real program says how much it has room for, and its text goes on.
      await layCable(page);
      await page.click('#connect');
      await shown(page, '# model: shakespeare-64k');
      const huge = await small(1000);
      await open(page, huge.file);
      await page.click('#send-model');
      const tooLarge = new RegExp(`the model takes ${huge.bytes} bytes and this board has 104\\d{4} for it: train a smaller one$`);
      await says(page, 'trouble', tooLarge);
      for (const [line, where, said] of [
        ['/send nonesuch', 'trouble', /^This page brings no model nonesuch/],
        ['/send shakespeare-64k', 'screen', /shakespeare-64k: the board writes with it already/],
      ] as const) {
        await page.fill('#line', line);
        await page.keyboard.press('Enter');
        await says(page, where, said);
      }
      await converse(page, passageOf('shakespeare-64k'));
    });
  },

  async a_file_for_a_drive_is_what_flash_copies_there() {
    const [large, small] = ['english-256k', 'english-64k'] as const;
    for (const [board, model, label, title, source, copy] of [
      ['pico', large, ['INFO_UF2.TXT', 'Board-ID: RPI-RP2'], 'Raspberry Pi Pico (RP2040)', 'uf2', 'INKLING.UF2'],
      ['pico2', large, ['INFO_UF2.TXT', 'Board-ID: RP2350'], 'Raspberry Pi Pico 2 (RP2350)', 'uf2', 'INKLING.UF2'],
      ['microbit-v2', large, ['DETAILS.TXT', 'Unique ID: 99044e45'], 'BBC micro:bit v2 (nRF52833)', 'hex', 'INKLING.HEX'],
      ['microbit', small, ['DETAILS.TXT', 'Unique ID: 99004e45'], 'BBC micro:bit v1 (nRF51822)', 'elf', 'INKLING.HEX'],
    ] as const) {
      await visit(hash({ model, length: '20' }), async (page) => {
        await texts(page);
        const [download] = await Promise.all([
          page.waitForEvent('download'),
          page.click(`#files button:text-is("${title}")`),
        ]);
        const ending = copy.slice(-3).toLowerCase();
        assert.equal(download.suggestedFilename(), `${model}-${board}.${ending}`);
        const made = readFileSync(await download.path());
        const drive = join(folder, board);
        mkdirSync(drive);
        writeFileSync(join(drive, label[0]), `${label[1]}\r\n`);
        const firmware = join(given('INKLING_PAGE'), `firmware/inkling-${board}.${source}`);
        const line = ['flash', '--board', board, '--firmware', firmware, '--model', model, '--drive', drive, '--no-monitor'];
        const flash = spawn(given('INKLING_PROGRAM'), line, { stdio: 'ignore' });
        // It would wait for a board to take the file.
        const copied = join(drive, copy);
        const size = () => (existsSync(copied) ? statSync(copied).size : 0);
        for (let wait = 0; size() < made.length && wait < 600; wait += 1) await page.waitForTimeout(50);
        flash.kill();
        assert.ok(readFileSync(copied).equals(made), `${board}: the files differ`);
      });
    }
  },

  async a_file_that_a_model_is_too_large_for_is_not_made() {
    await visit(hash({ model: 'english-256k', length: '20' }), async (page) => {
      await texts(page);
      await page.click('#files button:text-is("BBC micro:bit v1 (nRF51822)")');
      await page.waitForFunction(() => document.getElementById('trouble')?.textContent !== '');
      const sentence = 'the model has 257344 bytes, and the board has room for 131072';
      assert.equal(await page.textContent('#trouble'), sentence);
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
});

/** What a model writes when a test converses with a board. */
function passageOf(model: string, seed = 5): string {
  const options = ['--seed', String(seed), '--temperature', '0.7', '--length', '150', '--prompt', 'come'];
  return sample(model, options)[0]?.text ?? '';
}

/** A model that was made up, as a file. */
async function small(hidden = 64): Promise<{ file: string; bytes: number }> {
  const file = join(folder, `made-up-${hidden}.img`);
  const image = await made(60, hidden);
  writeFileSync(file, image);
  return { file, bytes: image.length };
}

/** Opens an image on the page. */
async function open(page: Page, file: string): Promise<void> {
  await page.setInputFiles('#file', file);
  await says(page, 'model', /made-up/);
  await page.waitForFunction(() => (document.getElementById('model') as HTMLSelectElement).value.startsWith('own:'));
}

async function screen(page: Page): Promise<string> {
  return (await page.textContent('#screen')) ?? '';
}

/** Waits until this stands in an element. */
async function says(page: Page, id: string, { source, flags }: RegExp): Promise<void> {
  await page.waitForFunction(
    ({ id, source, flags }) => new RegExp(source, flags).test(document.getElementById(id)?.textContent ?? ''),
    { id, source, flags },
    { timeout: 120_000 },
  );
}

/** Waits until this stands in the console. */
async function shown(page: Page, what: string | RegExp): Promise<void> {
  await says(page, 'screen', typeof what === 'string' ? new RegExp(escaped(what)) : what);
}

/** Waits until a board has so many bytes of a model. */
async function reaches(page: Page, bytes: number): Promise<void> {
  await page.waitForFunction(
    (bytes) =>
      document.getElementById('doing')?.textContent === 'sending' &&
      (document.getElementById('progress') as HTMLProgressElement).value >= bytes,
    bytes,
    { timeout: 120_000 },
  );
}

/** Has the board write a passage that must be this text. */
async function converse(page: Page, wanted: string, seed = 5): Promise<void> {
  await shown(page, '# model: ');
  for (const line of ['/pause', '/rate max', '/topk 0', '/topp 1', '/temp 0.7', '/len 150', '/count 1', `/seed ${seed}`, 'come', '/resume']) {
    await page.fill('#line', line);
    await page.keyboard.press('Enter');
    await shown(page, `> ${line}`);
  }
  await shown(page, `# end: seed ${seed}, 150 characters`);
  const passage = await page.evaluate((seed) => {
    const nodes = [...(document.getElementById('screen')?.childNodes ?? [])];
    const text = nodes.map((node) => (node instanceof Text ? node.data : `\n\u0000${node.textContent}\n`)).join('');
    // From the start of the passage to its end, without the board's own lines.
    const from = text.lastIndexOf(`\u0000# start: seed ${seed}`);
    const to = text.lastIndexOf(`\n\u0000# end: seed ${seed}`);
    return text.slice(text.indexOf('\n', from) + 1, to).replaceAll(/\n\u0000.*\n/g, '');
  }, seed);
  assert.equal(passage, wanted);
}

await close();
