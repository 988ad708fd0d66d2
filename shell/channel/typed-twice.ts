/** A secret that a person types twice, since nothing of it is seen. */

/**
 * Asks until both are equal.
 * @param hiddenLine asks once, with a prompt; null: the person gives it up
 * @returns null when the person gives it up, or types nothing
 */
export async function typedTwice(
  name: string,
  hiddenLine: (prompt: string) => Promise<string | null>,
): Promise<string | null> {
  for (let again = ''; ; again = 'They differ. ') {
    const first = await hiddenLine(`${again}${name}: `);
    if (!first) return null;
    const second = await hiddenLine(`${name}, again: `);
    if (second === null || second === first) return second;
  }
}
