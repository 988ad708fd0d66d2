/** A question as a terminal may get it. */

import { printableLine } from '../../src/client.ts';
import type { Question } from '../channel/protocol.ts';

/** A question whose names, which others chose, cannot move a cursor. */
export const printableQuestion = (question: Question): Question => {
  const message = printableLine(question.message);
  if (question.kind !== 'select') return { ...question, message };
  return {
    ...question,
    message,
    choices: question.choices.map(({ value, label }) => ({ value, label: printableLine(label) })),
  };
};
