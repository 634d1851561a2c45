/** Text wrapped to a width: drops nothing, and breaks anywhere if it must. */

/**
 * The lines of a text, each of at most `width` characters (≥ 1). A line ends at a space or after one of `/ , = :` if
 * its second half has one.
 */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const head = rest.slice(0, width + 1);
    const space = head.lastIndexOf(' ');
    const mark = /[/,=:](?=[^/,=:]*$)/.exec(head.slice(0, width))?.index ?? -1;
    const at = Math.max(space, mark + 1);
    const end = at * 2 > width ? at : width;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).replace(/^ /, '');
  }
  return [...lines, rest];
}
