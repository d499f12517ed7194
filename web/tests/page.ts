// The page in a browser without a window: what it writes, what it refuses, what it asks for. Pictures of it are
// left for people to look at.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Page } from 'playwright-core';

import { DESK, PHONE, close, drop, escaped, folder, hash, texts, visit } from './browser';
import { given, run, sample } from './given';

const checksums = (page: Page) => page.locator('.checksum').allTextContents();

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

await close();
