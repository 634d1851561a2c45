/* clone3(2), or clone(2), for a child that shares our memory until it executes a program
 * (CLONE_VM|CLONE_VFORK). */
#ifndef RUNT_CLONE_H
#define RUNT_CLONE_H
#include "../core.h"
#include "../refused.h"

/* clone3(args, size) or clone(flags, stack, pidfd). The child runs fn(argument) on the stack in
 * the arguments and exits with its result; fn must call only what is safe between vfork and exec.
 * In assembly, since the child returns from the call on another stack. */
static inline long clone_call(long number, long first, long second, long third, int (*fn)(void *),
                              void *argument) {
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
                   : "a"(number), "D"(first), "S"(second),
                     "d"(third), [f] "r"(f), [a] "r"(a), [exit] "i"(SYS_exit_group)
                   : "rcx", "r11", "memory", "cc");
  return ret;
#elif defined(__aarch64__)
  register long x0 __asm__("x0") = first;
  register long x1 __asm__("x1") = second;
  register long x2 __asm__("x2") = third;
  register long x8 __asm__("x8") = number;
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
                   : "r"(x1), "r"(x2), "r"(x8), [f] "r"(f), [a] "r"(a), [exit] "i"(SYS_exit_group)
                   : "memory", "cc");
  return x0;
#else
#error "clone_call is not written for this architecture"
#endif
}

/* clone3(2), or clone(2) where that is refused. clone(2) supports neither cgroups nor time
 * namespaces: with one of them the result is -ENOSYS. The pid, or -errno. */
static inline long clone3_call(const struct clone_args *args, int (*fn)(void *), void *argument) {
  long pid = clone_call(SYS_clone3, (long)args, sizeof *args, 0, fn, argument);
  if (pid != -ENOSYS && pid != -EPERM)
    return pid;
  errno = (int)-pid;
  if (!is_refused(SYS_clone3) ||
      args->flags & (CLONE_INTO_CGROUP | CSIGNAL /* its place in clone(2) */))
    return -errno;
  return clone_call(SYS_clone, (long)(args->flags | args->exit_signal),
                    (long)(args->stack + args->stack_size), (long)args->pidfd, fn, argument);
}

#endif
