// A browser without a window, for tests of the page, which `inkling page` serves.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Browser, type BrowserContextOptions, type Page, chromium } from 'playwright-core';

import { given } from './given';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const DESK = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };

const server = spawn(given('INKLING_PROGRAM'), ['page', '--no-open', '--port', '0', '--folder', given('INKLING_PAGE')], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const address = await firstLine(server);
const browser: Browser = await chromium.launch({ executablePath: given('INKLING_BROWSER'), args: FLAGS });
/** For files of the tests. */
export const folder = mkdtempSync(join(tmpdir(), 'inkling-page-'));

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
export async function visit(
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
export async function texts(page: Page, count = 1): Promise<string[]> {
  await page.waitForFunction(
    (count) =>
      document.getElementById('texts')?.getAttribute('aria-busy') === 'false' &&
      document.querySelectorAll('.sheet footer').length === count,
    count,
    { timeout: 30_000 },
  );
  return page.locator('.text').evaluateAll((all) => all.map((one) => one.textContent ?? ''));
}

/** The settings as a link has them. */
export const hash = (options: Record<string, string>) => `#${new URLSearchParams(options)}`;

/** A text as an expression that matches it. */
export function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Drops a file on the page. */
export async function drop(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  await page.evaluate(
    ({ name, bytes }) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], name));
      dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    },
    { name, bytes: [...bytes] },
  );
}

/** Ends it all. */
export async function close(): Promise<void> {
  await browser.close();
  server.kill();
  rmSync(folder, { recursive: true });
}
