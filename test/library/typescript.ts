/** How TypeScript is written: what the declarations of the library are printed with. */

/** The head of a printed file. */
export const printed = (subject: string) =>
  `/** ${subject}: printed from the records (npx vitest run test/library -u). */\n`;

/** `user:nbd` as a name of a type: `UserNbd`. */
export const pascal = (name: string) =>
  name.replace(/(^|[^A-Za-z])([a-z])/g, (_, __, letter: string) => letter.toUpperCase());

/** Whether a text is a name without quotes. */
export const isName = (name: string) => /^[a-z_]\w*$/i.test(name);
/** A name of a property, in quotes where it needs them. */
export const property = (name: string) => (isName(name) ? name : `'${name}'`);

/** A doc comment; sentences of the records are texts for people. */
export function comment(text: string, indent = '  '): string {
  const line = `${indent}/** ${text} */`;
  if (line.length <= 120) return line;
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    if (`${indent} * ${lines.at(-1)} ${word}`.length > 120) lines.push('');
    lines[lines.length - 1] = `${lines.at(-1)} ${word}`.trim();
  }
  return [`${indent}/**`, ...lines.map((one) => `${indent} * ${one}`), `${indent} */`].join('\n');
}

/** An interface, and what stands in it: a line for each member, below its comment. Without members, what has none. */
export const face = (doc: string, head: string, members: readonly string[]) =>
  members.length === 0
    ? `${comment(doc, '')}\nexport type ${head} = Readonly<Record<never, never>>;\n`
    : `${comment(doc, '')}\nexport interface ${head} {\n${members.join('\n')}\n}\n`;
