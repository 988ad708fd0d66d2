/** A yes or no question, asked by Enquirer while Ink is out of the way. */

import { setImmediate } from 'node:timers/promises';
import enquirer from 'enquirer';
import { type TtyHub, VirtualTty } from './tty.ts';

/** The part of an Enquirer prompt that is used; its own types leave the prompt classes out. */
interface Prompt {
  run(): Promise<boolean>;
  cancel(): Promise<void>;
}
type ConfirmPrompt = new (options: {
  message: string;
  stdin: VirtualTty;
  stdout: NodeJS.WriteStream;
  format(value: boolean): string;
}) => Prompt;
const { Confirm } = enquirer as unknown as { Confirm: ConfirmPrompt };

/**
 * The keys that cancel. They never reach Enquirer: readline, which it reads with, closes itself upon the first two, and since Node 24.2 a
 * prompt that goes on using it throws where nobody catches it.
 */
const CANCELS: readonly string[] = ['C-c', 'C-d', 'escape'];

/** The keys that answer. Enquirer takes more letters: the t of a word that was meant for the prompt would be a yes. */
const ANSWERS: readonly string[] = ['y', 'Y', 'n', 'N'];

/** Asks. @returns `yes` or `no`, or null when the person cancelled or the terminal is gone */
export async function confirm(tty: TtyHub, message: string): Promise<string | null> {
  const stdin = new VirtualTty();
  const prompt = new Confirm({ message, stdin, stdout: tty.output, format: (value) => (value ? 'yes' : 'no') });
  let asking = true;
  // The keys are fed one by one, so that text behind the answer (in a paste) is left for the prompt.
  const feed = async () => {
    while (asking) {
      const key = await tty.take();
      if (!key || CANCELS.includes(key.chord)) return prompt.cancel();
      if (key.chord === 'text' && !ANSWERS.includes(key.text)) tty.bell();
      else stdin.write(key.sequence);
      await setImmediate();
    }
  };
  try {
    const answer = prompt.run();
    void feed();
    return (await answer) ? 'yes' : 'no';
  } catch {
    // Enquirer rejects with '' when it is cancelled.
    return null;
  } finally {
    asking = false;
    tty.forget();
  }
}
