/** A container as its own program sees it, to compare one with another. */

/**
 * The script shows what the config says of the container. It has no pipeline: while the shell waits for fail-at's
 * answer, SIGCHLD of a child that runs beside it would make its call fail with EINTR before Linux 5.19.
 */
export const view = `
  cat /proc/self/mountinfo; grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs)' /proc/self/status
  id; hostname; pwd; umask; ulimit -n; ls -l /dev /dev/console 2>&1; ls /proc/self/fd
  (: >/x) 2>&1; cat /proc/sys/net/ipv4/ip_forward 2>&1; ls -R /copied 2>&1; true`;

/** The script's output without what differs from one container to the next: the numbers of mountinfo, and times. */
function comparable(output: string): string {
  return output
    .replace(/^\d+ \d+ \d+:\d+ /gm, '')
    .replace(/ (shared|master):\d+/g, '')
    .replace(/ [A-Z][a-z]{2} .*:\d\d /g, ' ')
    .replaceAll(',uuid=on', '')
    .replaceAll('lowerdir+=', 'lowerdir=');
}

/** The lines of one output that another one does not have. */
export function changes(before: string, after: string): string[] {
  const [old, now] = [before, after].map((text) => new Set(comparable(text).split('\n'))) as [Set<string>, Set<string>];
  return [
    ...[...old].filter((line) => !now.has(line)).map((line) => `- ${line}`),
    ...[...now].filter((line) => !old.has(line)).map((line) => `+ ${line}`),
  ];
}
