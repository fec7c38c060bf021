/** Words of a command as a POSIX shell reads them back: what is printed to be pasted means what was run. */

const plain = /^[\w@%+=:,./-]+$/;

export function shellWords(words: readonly string[]): string {
  return words
    .map((word) => (plain.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`))
    .join(' ');
}
