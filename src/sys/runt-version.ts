/** The version of runt, which the build inserts. */
declare const __RUNT_VERSION__: string;
declare const __RUNT_COMMIT__: string;

/** The version of package.json. */
export const version = (): string => (typeof __RUNT_VERSION__ === 'string' ? __RUNT_VERSION__ : 'unreleased');

/** The commit of the build. */
export const commit = (): string => (typeof __RUNT_COMMIT__ === 'string' ? __RUNT_COMMIT__ : 'unknown');
