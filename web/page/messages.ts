// What the page and its worker say to each other.

import type { Model, Settings } from './engine';

/** To the worker. */
export type Request =
  | { kind: 'open'; image: ArrayBuffer }
  | { kind: 'write'; run: number; settings: Settings[]; prompt: string; length: number }
  | { kind: 'stop' };

/** From the worker. */
export type Answer =
  | { kind: 'opened'; model: Model; hasVectors: boolean }
  | { kind: 'refused'; run: number | null; sentence: string }
  | { kind: 'begun'; run: number; prompt: string; note: string }
  | { kind: 'text'; run: number; column: number; text: string; choices: Uint32Array }
  | { kind: 'ended'; run: number; column: number; checksum: string; characters: number; speed: number };
