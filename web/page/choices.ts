// What else each character of a text could have been: reads the words that the engine gives about them.

import { CHOICE_WORDS } from './engine';

/** Stands for all characters that are spelt in several draws. */
const SPELT = 0xffffffff;

/** A character that came into question. */
export interface Candidate {
  /** None for all those that are spelt in several draws. */
  character: string | null;
  /** Its probability under the settings. */
  drawn: number;
  /** Its probability by the model alone. */
  own: number;
}

/** What is known of a character of the text. */
export interface Choice {
  character: string;
  /** Draws that it took: more than one for what is spelt. */
  draws: number;
  drawn: number;
  own: number;
  /** The likeliest first. */
  candidates: Candidate[];
}

/** The choices of a text, as it grows. */
export class Choices {
  private words: Uint32Array = new Uint32Array(64 * CHOICE_WORDS);
  private used = 0;

  /** How many there are. */
  get length(): number {
    return this.used / CHOICE_WORDS;
  }

  add(words: Uint32Array): void {
    if (this.used + words.length > this.words.length) {
      const larger = new Uint32Array(2 * (this.used + words.length));
      larger.set(this.words);
      this.words = larger;
    }
    this.words.set(words, this.used);
    this.used += words.length;
  }

  at(index: number): Choice | null {
    if (index < 0 || index >= this.length) return null;
    const words = this.words.subarray(index * CHOICE_WORDS, (index + 1) * CHOICE_WORDS);
    const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
    const word = (at: number) => words[at] ?? 0;
    const float = (at: number) => floats[at] ?? 0;
    const candidates = Array.from({ length: word(4) }, (_, index) => {
      const at = 5 + 3 * index;
      const code = word(at);
      return {
        character: code === SPELT ? null : String.fromCodePoint(code),
        drawn: float(at + 1),
        own: float(at + 2),
      };
    });
    return {
      character: String.fromCodePoint(word(0)),
      draws: word(1),
      drawn: float(2),
      own: float(3),
      candidates,
    };
  }
}

/** A probability as people read it. */
export function percent(probability: number): string {
  const hundred = 100 * probability;
  if (hundred >= 99.95) return '100 %';
  if (hundred >= 10) return `${hundred.toFixed(0)} %`;
  if (hundred >= 1) return `${hundred.toFixed(1)} %`;
  if (hundred >= 0.01) return `${hundred.toFixed(2)} %`;
  return '< 0.01 %';
}

/** A character as it can be seen, and as it is read aloud. */
export function named(character: string | null): { shown: string; spoken: string } {
  switch (character) {
    case null:
      return { shown: '…', spoken: 'a character spelt out' };
    case ' ':
      return { shown: '␣', spoken: 'space' };
    case '\n':
      return { shown: '⏎', spoken: 'line end' };
    case '\t':
      return { shown: '⇥', spoken: 'tab' };
    default:
      return { shown: character, spoken: character };
  }
}
