// The firmware that the page brings: for the Pico that runs in it, and, with the model that was chosen, as a
// file for the drive of a board.

import { type Way, combine } from './console';
import { element, save } from './document';
import { Refusal } from './engine';
import type { Models } from './models';

/** A board's firmware, and where its models go. */
export type Firmware = Way & {
  board: string;
  description: string;
  /** The file that a model is put into. */
  file: string;
  /** The firmware as the Pico in the page starts with it. */
  bin?: string;
};

/** All there is. */
export async function firmware(): Promise<Firmware[]> {
  const response = await fetch('firmware/boards.json');
  return response.ok ? ((await response.json()) as Firmware[]) : [];
}

/** The bytes of one of its files. */
export async function file(name: string): Promise<ArrayBuffer> {
  const response = await fetch(`firmware/${name}`);
  if (!response.ok) throw new Refusal(`${name} cannot be loaded: reload the page.`);
  return response.arrayBuffer();
}

/** Offers a file for each board, with the model that was chosen. */
export async function offerFiles(models: Models): Promise<void> {
  const trouble = element('trouble');
  for (const board of await firmware()) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'quiet';
    button.textContent = board.description;
    button.addEventListener('click', () => {
      trouble.textContent = '';
      make(board, models).catch((error: Error) => (trouble.textContent = error.message));
    });
    element('files').append(button);
  }
}

async function make(board: Firmware, models: Models): Promise<void> {
  const [program, image] = await Promise.all([file(board.file), models.image()]);
  const bytes = await combine(new Uint8Array(program), new Uint8Array(image), board);
  save(`${models.name || 'inkling'}-${board.board}.${board.made}`, bytes);
}
