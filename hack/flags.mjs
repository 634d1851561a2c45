// Compiler and linker flags that harden the programs (docs/security.md#hardening-of-the-binaries).

/** A canary in each function with an array or the address of a local variable. */
export const hardened = ['-fstack-protector-strong'];

/** Checked variants of libc's functions: glibc has them, musl does not. */
export const fortified = ['-U_FORTIFY_SOURCE', '-D_FORTIFY_SOURCE=2'];

export const hardenedLink = ['-Wl,-z,noexecstack', '-Wl,-z,relro', '-Wl,-z,now'];
