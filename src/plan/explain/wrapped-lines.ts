/** Text in lines of a width: nothing is dropped, and what has no place to break is broken anywhere. */

/**
 * The lines of a text, each of at most `width` characters (≥ 1). They end at a space, or after one of `/ , = :`, when there
 * is one in their second half.
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
