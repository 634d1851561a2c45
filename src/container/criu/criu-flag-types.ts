/** The flags of `checkpoint` and `restore`. */

/** Flags of both commands. */
export interface CriuFlags {
  readonly tcpEstablished: boolean;
  readonly extUnixSk: boolean;
  readonly shellJob: boolean;
  readonly fileLocks: boolean;
  readonly autoDedup: boolean;
  readonly lazyPages: boolean;
  /** `soft` when absent. */
  readonly manageCgroupsMode?: 'soft' | 'full' | 'strict' | 'ignore';
}

export interface DumpFlags extends CriuFlags {
  readonly leaveRunning: boolean;
  readonly preDump: boolean;
  readonly linkRemap: boolean;
  readonly tcpSkipInFlight: boolean;
  /** Relative to the image directory. */
  readonly parentPath?: string;
  readonly pageServer?: { readonly address: string; readonly port: number };
}

export interface RestoreFlags extends CriuFlags {
  readonly tcpClose: boolean;
  readonly lsmProfile?: string;
  readonly lsmMountContext?: string;
}
