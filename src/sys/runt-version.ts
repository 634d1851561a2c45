/** The version of runt, put in by the build. */
declare const __RUNT_VERSION__: string;
declare const __RUNT_COMMIT__: string;

/** Of package.json. */
export const version = (): string => (typeof __RUNT_VERSION__ === 'string' ? __RUNT_VERSION__ : 'unreleased');

/** The commit that was built. */
export const commit = (): string => (typeof __RUNT_COMMIT__ === 'string' ? __RUNT_COMMIT__ : 'unknown');
