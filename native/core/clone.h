/* clone3(2) for a child that shares our memory until it executes a program (CLONE_VM|CLONE_VFORK).
 */
#ifndef RUNT_CLONE_H
#define RUNT_CLONE_H
#include "core.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLONE_VM
#define CLONE_VM 0x00000100
#define CLONE_VFORK 0x00004000
#define CLONE_NEWUSER 0x10000000
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

/* struct clone_args of Linux 5.7, version 2. */
struct clone3_args {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
      set_tid_size, cgroup;
};

/*
 * The child runs fn(argument) on the stack of `args` and exits with what it returns; it must call
 * only what is safe between vfork and exec. Written in assembly since the child returns from the
 * call on another stack.
 */
static inline long clone3_call(const struct clone3_args *args, int (*fn)(void *), void *argument) {
#if defined(__x86_64__)
  long ret;
  register int (*f)(void *) __asm__("r12") = fn;
  register void *a __asm__("r13") = argument;
  __asm__ volatile("syscall\n\t"
                   "test %%rax, %%rax\n\t"
                   "jnz 1f\n\t"
                   "xor %%ebp, %%ebp\n\t"
                   "mov %[a], %%rdi\n\t"
                   "call *%[f]\n\t"
                   "mov %%eax, %%edi\n\t"
                   "mov %[exit], %%eax\n\t"
                   "syscall\n\t"
                   "hlt\n"
                   "1:"
                   : "=a"(ret)
                   : "a"((long)SYS_clone3), "D"(args),
                     "S"(sizeof *args), [f] "r"(f), [a] "r"(a), [exit] "i"(SYS_exit_group)
                   : "rcx", "r11", "memory", "cc");
  return ret;
#elif defined(__aarch64__)
  register long x0 __asm__("x0") = (long)args;
  register long x1 __asm__("x1") = sizeof *args;
  register long x8 __asm__("x8") = SYS_clone3;
  register int (*f)(void *) __asm__("x19") = fn;
  register void *a __asm__("x20") = argument;
  __asm__ volatile("svc #0\n\t"
                   "cbnz x0, 1f\n\t"
                   "mov x29, #0\n\t"
                   "mov x0, %[a]\n\t"
                   "blr %[f]\n\t"
                   "mov x8, %[exit]\n\t"
                   "svc #0\n\t"
                   "brk #0\n"
                   "1:"
                   : "+r"(x0)
                   : "r"(x1), "r"(x8), [f] "r"(f), [a] "r"(a), [exit] "i"(SYS_exit_group)
                   : "memory", "cc");
  return x0;
#else
#error "clone3_call is not written for this architecture"
#endif
}

#endif
