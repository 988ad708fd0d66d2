/** A question as a terminal may get it. */

import { printableLine } from '../../src/client.ts';
import type { Question } from '../channel/protocol.ts';

/** What somebody named may be in it: nothing of it moves a cursor. */
export const printableQuestion = (question: Question): Question => {
  const message = printableLine(question.message);
  if (question.kind !== 'select') return { ...question, message };
  return {
    ...question,
    message,
    choices: question.choices.map(({ value, label }) => ({ value, label: printableLine(label) })),
  };
};
