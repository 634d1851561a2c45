/** `ociVersion`: SemVer 2.0.0 versions, and those that runt supports. */

/** Newest supported runtime-spec; `spec` and `features` write it. */
export const OCI_VERSION = '1.3.0';
/** Oldest supported one. Its drafts (0.x, 1.0.0-rc) follow the rules of 1.0: the spec had its present form by then. */
export const OCI_VERSION_MIN = '1.0.0';

export interface Version {
  readonly major: number;
  readonly minor: number;
}

/** Parses a SemVer version; undefined if the text is invalid. */
export function parseVersion(text: string): Version | undefined {
  const plus = text.indexOf('+');
  const withoutBuild = plus < 0 ? text : text.slice(0, plus);
  if (plus >= 0 && !areIdentifiers(text.slice(plus + 1), false)) return undefined;
  const minus = withoutBuild.indexOf('-');
  if (minus >= 0 && !areIdentifiers(withoutBuild.slice(minus + 1), true)) return undefined;
  const parts = (minus < 0 ? withoutBuild : withoutBuild.slice(0, minus)).split('.');
  if (parts.length !== 3 || !parts.every((part) => /^(0|[1-9][0-9]{0,8})$/.test(part))) return undefined;
  const [major, minor] = parts.map(Number) as [number, number, number];
  return { major, minor };
}

/** Whether a valid version is of an earlier major or minor version. */
export function isBefore(text: string, major: number, minor: number): boolean {
  const version = parseVersion(text);
  return version !== undefined && (version.major < major || (version.major === major && version.minor < minor));
}

/** Dot-separated identifiers of SemVer §9 and §10; numbers of a pre-release have no leading zero. */
function areIdentifiers(text: string, prerelease: boolean): boolean {
  return text.split('.').every((id) => /^[0-9A-Za-z-]+$/.test(id) && !(prerelease && /^0[0-9]+$/.test(id)));
}
