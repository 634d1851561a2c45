/*
 * The floor of the bench: the fastest program that makes the container of the default bundle of
 * `spec`. It interprets no configuration and checks nothing twice. The child makes its network
 * namespace and mounts while the parent makes cgroups; each file is opened once.
 *
 *     floor create STATE BUNDLE ID PIDFILE
 *     floor start  STATE ID
 *     floor delete STATE ID
 *     floor run    STATE BUNDLE ID
 *
 * cgroup v1 and hybrid (every hierarchy, device list) and v2 (one directory, device filter).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CGROUPS 32
#define KEEP_CAPS (1ULL << CAP_AUDIT_WRITE | 1ULL << CAP_KILL | 1ULL << CAP_NET_BIND_SERVICE)

static char cgroups[MAX_CGROUPS][256];
static int cgroup_v1[MAX_CGROUPS];
static int cgroup_count;

static void die(const char *what) {
  fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
  _exit(1);
}

static int must(int result, const char *what) {
  if (result < 0)
    die(what);
  return result;
}

__attribute__((format(printf, 3, 4))) static void form(char *out, size_t size, const char *format,
                                                       ...) {
  va_list list;
  va_start(list, format);
  int n = vsnprintf(out, size, format, list);
  va_end(list);
  if (n < 0 || (size_t)n >= size) {
    errno = ENAMETOOLONG;
    die(format);
  }
}

static void put(const char *path, int flags, const char *text) {
  int fd = must(open(path, O_WRONLY | O_CLOEXEC | flags, 0600), path);
  if (write(fd, text, strlen(text)) < 0)
    die(path);
  close(fd);
}

static void put_at(const char *dir, const char *name, const char *text) {
  char path[512];
  form(path, sizeof path, "%s/%s", dir, name);
  put(path, 0, text);
}

static size_t get(const char *path, char *out, size_t size) {
  int fd = must(open(path, O_RDONLY | O_CLOEXEC), path);
  size_t have = 0;
  ssize_t n;
  while (have < size - 1 && (n = read(fd, out + have, size - 1 - have)) > 0)
    have += (size_t)n;
  close(fd);
  out[have] = 0;
  return have;
}

/* Mount points of the cgroup hierarchies, as any runtime must find them: in the whole of mountinfo.
 */
static void find_cgroups(void) {
  size_t size = 1 << 16, have = 0;
  char *text = malloc(size), *save = NULL;
  int fd = must(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), "mountinfo");
  for (ssize_t n; text && (n = read(fd, text + have, size - 1 - have)) > 0;) {
    have += (size_t)n;
    if (size - have < 8192)
      text = realloc(text, size *= 2);
  }
  if (!text)
    die("mountinfo");
  close(fd);
  text[have] = 0;
  for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
    char *dash = strstr(line, " - cgroup");
    char target[200];
    if (!dash || cgroup_count == MAX_CGROUPS || sscanf(line, "%*s %*s %*s %*s %199s", target) != 1)
      continue;
    cgroup_v1[cgroup_count] = dash[9] == ' ';
    form(cgroups[cgroup_count++], sizeof cgroups[0], "%s", target);
  }
  free(text);
}

static int is_controller(int i, const char *name) {
  const char *base = strrchr(cgroups[i], '/');
  return cgroup_v1[i] && base && strcmp(base + 1, name) == 0;
}

/* The devices of the default bundle; -1 is any. */
static const struct {
  char type;
  int major, minor;
  const char *access;
} device_rules[] = {
    {'c', -1, -1, "m"}, {'b', -1, -1, "m"},    {'c', 1, 3, "rwm"},    {'c', 1, 8, "rwm"},
    {'c', 1, 7, "rwm"}, {'c', 5, 0, "rwm"},    {'c', 1, 5, "rwm"},    {'c', 1, 9, "rwm"},
    {'c', 5, 2, "rwm"}, {'c', 10, 200, "rwm"}, {'c', 136, -1, "rwm"},
};
enum { RULES = sizeof device_rules / sizeof *device_rules };

static void write_device_list(const char *dir) {
  char path[512], rule[64], major[16], minor[16];
  put_at(dir, "devices.deny", "a");
  form(path, sizeof path, "%s/devices.allow", dir);
  int fd = must(open(path, O_WRONLY | O_CLOEXEC), path);
  for (size_t k = 0; k < RULES; k++) {
    form(major, sizeof major, device_rules[k].major < 0 ? "*" : "%d", device_rules[k].major);
    form(minor, sizeof minor, device_rules[k].minor < 0 ? "*" : "%d", device_rules[k].minor);
    form(rule, sizeof rule, "%c %s:%s %s", device_rules[k].type, major, minor,
         device_rules[k].access);
    if (write(fd, rule, strlen(rule)) < 0)
      die(rule);
  }
  close(fd);
}

/* The same list on v2: a program that the kernel runs for each access to a device. */
static void attach_device_filter(const char *dir) {
  struct bpf_insn code[16 * RULES + 16];
  int n = 0;
#define DO(op, dst, src, jump, number) code[n++] = (struct bpf_insn){op, dst, src, jump, number}
  /* r2 type, r3 access, r4 major, r5 minor; r0 and r1 are free afterwards. */
  DO(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0);
  DO(BPF_ALU | BPF_MOV | BPF_X, 3, 2, 0, 0);
  DO(BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
  DO(BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16);
  DO(BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0);
  DO(BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0);
  for (size_t k = 0; k < RULES; k++) {
    const int more = device_rules[k].major >= 0, most = device_rules[k].minor >= 0;
    const int mknod_only = !strchr(device_rules[k].access, 'r');
    int left = 2 + more + most + mknod_only; /* instructions from the next one to the rule's end */
    DO(BPF_JMP32 | BPF_JNE | BPF_K, 2, 0, (short)left--,
       device_rules[k].type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK);
    if (more)
      DO(BPF_JMP32 | BPF_JNE | BPF_K, 4, 0, (short)left--, device_rules[k].major);
    if (most)
      DO(BPF_JMP32 | BPF_JNE | BPF_K, 5, 0, (short)left--, device_rules[k].minor);
    if (mknod_only)
      DO(BPF_JMP32 | BPF_JNE | BPF_K, 3, 0, (short)left--, BPF_DEVCG_ACC_MKNOD);
    DO(BPF_ALU | BPF_MOV | BPF_K, 0, 0, 0, 1);
    DO(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  }
  DO(BPF_ALU | BPF_MOV | BPF_K, 0, 0, 0, 0);
  DO(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
#undef DO
  union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                         .insn_cnt = (__u32)n,
                         .insns = (__u64)(uintptr_t)code,
                         .license = (__u64)(uintptr_t) "GPL"};
  int program = must((int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load), "load the filter");
  int cgroup = must(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), dir);
  union bpf_attr attach = {.target_fd = (__u32)cgroup,
                           .attach_bpf_fd = (__u32)program,
                           .attach_type = BPF_CGROUP_DEVICE,
                           .attach_flags = BPF_F_ALLOW_MULTI};
  must((int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach), "attach the filter");
  close(cgroup);
  close(program);
}

/* v2: before the clone, which puts the process into it. Returns its directory's descriptor, or -1.
 */
static int make_unified(const char *id) {
  char dir[400];
  int fd = -1;
  for (int i = 0; i < cgroup_count; i++) {
    if (cgroup_v1[i])
      continue;
    form(dir, sizeof dir, "%s/%s", cgroups[i], id);
    must(mkdir(dir, 0755), dir);
    fd = must(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), dir);
  }
  return fd;
}

/* The rest, while the child works: v1 cgroups and the list of devices. */
static void make_cgroups(const char *id) {
  for (int i = 0; i < cgroup_count; i++) {
    char dir[400], path[512], value[4096];
    form(dir, sizeof dir, "%s/%s", cgroups[i], id);
    if (!cgroup_v1[i]) {
      if (cgroup_count == 1)
        attach_device_filter(dir);
      continue;
    }
    must(mkdir(dir, 0755), dir);
    if (is_controller(i, "cpuset")) {
      static const char *const names[] = {"cpuset.cpus", "cpuset.mems"};
      for (size_t k = 0; k < 2; k++) {
        form(path, sizeof path, "%s/%s", cgroups[i], names[k]);
        get(path, value, sizeof value);
        put_at(dir, names[k], value);
      }
    }
    if (is_controller(i, "devices"))
      write_device_list(dir);
  }
}

/* The container's own single thread moves itself. On v1 it writes "0" to `tasks`, for which the
 * kernel (5.4 and later) does not take cgroup_threadgroup_rwsem: a pid written to cgroup.procs
 * waits for an RCU grace period, 5-20 ms on a quiet machine. */
static void join_cgroups(const char *id) {
  char path[512];
  for (int i = 0; i < cgroup_count; i++) {
    if (!cgroup_v1[i])
      continue; /* the clone did it */
    form(path, sizeof path, "%s/%s/tasks", cgroups[i], id);
    put(path, 0, "0");
  }
}

/* A fork into new namespaces and, if there is one, into the new v2 cgroup (CLONE_INTO_CGROUP: no
 * grace period). The network namespace is left to the child: it takes the longest. */
static pid_t clone_into(int cgroup) {
  struct clone_args args = {
      .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS,
      .exit_signal = SIGCHLD,
  };
  if (cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = (__u64)cgroup;
  }
  pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
  return must(pid, "clone3");
}

static void loopback_up(void) {
  struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  int fd = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  must(ioctl(fd, SIOCSIFFLAGS, &lo), "lo");
  close(fd);
}

static void remove_cgroups(const char *id) {
  char path[512];
  for (int i = 0; i < cgroup_count; i++) {
    form(path, sizeof path, "%s/%s", cgroups[i], id);
    for (int tries = 0; rmdir(path) < 0 && tries < 1000; tries++) {
      if (errno != EBUSY)
        die(path);
      usleep(100);
    }
  }
}

static void mount_fs(const char *type, const char *target, unsigned long flags, const char *data) {
  if (mkdir(target, 0755) < 0 && errno != EEXIST)
    die(target);
  must(mount(type, target, type, flags, data), target);
}

static void mount_cgroup_tree(const char *id) {
  const unsigned long flags = MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RELATIME;
  char source[512], target[256];
  if (cgroup_count == 1 && !cgroup_v1[0]) {
    form(source, sizeof source, "%s/%s", cgroups[0], id);
    must(mount(source, "sys/fs/cgroup", NULL, MS_BIND, NULL), source);
    must(mount(NULL, "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL),
         source);
    return;
  }
  must(mount("tmpfs", "sys/fs/cgroup", "tmpfs", flags, "mode=755"), "sys/fs/cgroup");
  for (int i = 0; i < cgroup_count; i++) {
    if (!cgroup_v1[i])
      continue;
    form(source, sizeof source, "%s/%s", cgroups[i], id);
    form(target, sizeof target, "sys/fs/cgroup%s", strrchr(cgroups[i], '/'));
    must(mkdir(target, 0755), target);
    must(mount(source, target, NULL, MS_BIND, NULL), target);
    must(mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL), target);
  }
  must(mount(NULL, "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL),
       "cgroup");
}

static void make_devices(void) {
  static const struct {
    const char *path;
    int major, minor;
  } nodes[] = {{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
               {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
  static const char *const links[][2] = {
      {"/proc/self/fd", "dev/fd"},       {"/proc/self/fd/0", "dev/stdin"},
      {"/proc/self/fd/1", "dev/stdout"}, {"/proc/self/fd/2", "dev/stderr"},
      {"/proc/kcore", "dev/core"},       {"pts/ptmx", "dev/ptmx"}};
  for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
    must(mknod(nodes[i].path, S_IFCHR | 0666,
               makedev((unsigned)nodes[i].major, (unsigned)nodes[i].minor)),
         nodes[i].path);
    must(chown(nodes[i].path, 0, 0), nodes[i].path);
  }
  for (size_t i = 0; i < sizeof links / sizeof *links; i++)
    must(symlink(links[i][0], links[i][1]), links[i][1]);
}

static void protect(void) {
  static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                          "/proc/sysrq-trigger"};
  static const char *const masked[] = {
      "/proc/acpi",          "/proc/asound",     "/proc/kcore",       "/proc/keys",
      "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
      "/sys/firmware",       "/proc/scsi"};
  for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++) {
    if (mount(read_only[i], read_only[i], NULL, MS_BIND | MS_REC, NULL) < 0) {
      if (errno != ENOENT)
        die(read_only[i]);
      continue;
    }
    must(mount(NULL, read_only[i], NULL,
               MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL),
         read_only[i]);
  }
  for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) {
    if (mount("/dev/null", masked[i], NULL, MS_BIND, NULL) == 0 || errno == ENOENT)
      continue;
    if (errno != ENOTDIR)
      die(masked[i]);
    must(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, "size=0k"), masked[i]);
  }
}

static void identity(void) {
  struct rlimit files = {1024, 1024};
  must(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
  for (unsigned long cap = 0; cap <= 63; cap++) {
    if (!(KEEP_CAPS >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
      if (errno == EINVAL)
        break;
      die("bounding set");
    }
  }
  must(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keepcaps");
  must((int)syscall(SYS_setgroups, 0, NULL), "setgroups");
  must((int)syscall(SYS_setresgid, 0, 0, 0), "setresgid");
  must((int)syscall(SYS_setresuid, 0, 0, 0), "setresuid");
  umask(022);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const __u32 keep = (__u32)KEEP_CAPS;
  struct __user_cap_data_struct data[2] = {{keep, keep, keep}, {0, 0, 0}};
  must((int)syscall(SYS_capset, &header, data), "capset");
  for (unsigned long cap = 0; cap < 32; cap++) {
    if (KEEP_CAPS >> cap & 1)
      must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0), "ambient");
  }
}

/* The container's side: everything between the clone and execve. The parent writes to `word`. */
static void inside(const char *rootfs, const char *id, int word, int listener) {
  char byte;
  must(unshare(CLONE_NEWNET), "unshare");
  loopback_up();
  syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, id);
  must(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "slave /");
  must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), rootfs);
  must(chdir(rootfs), rootfs);
  mount_fs("proc", "proc", 0, NULL);
  mount_fs("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
  mount_fs("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
  mount_fs("tmpfs", "dev/shm", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=1777,size=65536k");
  mount_fs("mqueue", "dev/mqueue", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
  mount_fs("sysfs", "sys", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL);
  make_devices();
  if (read(word, &byte, 1) != 1)
    _exit(1);
  join_cgroups(id);
  mount_cgroup_tree(id);
  must((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
  must(umount2(".", MNT_DETACH), "detach the old root");
  must(sethostname("floor", 5), "sethostname");
  protect();
  must(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "read-only root");
  identity();
  must(chdir("/"), "chdir");
  if (write(word, "c", 1) != 1)
    _exit(1);
  if (listener >= 0) {
    int peer = must(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept");
    if (write(peer, "x", 1) != 1)
      _exit(1);
  }
  syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
  execle("/true", "true", NULL,
         (char *[]){"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL});
  die("/true");
}

static struct sockaddr_un socket_in(const char *dir) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  form(address.sun_path, sizeof address.sun_path, "%s/start.sock", dir);
  return address;
}

static void write_state(const char *dir, const char *id, pid_t pid, const char *status) {
  char path[300], next[320], text[512];
  form(path, sizeof path, "%s/state.json", dir);
  form(next, sizeof next, "%s.tmp", path);
  form(text, sizeof text, "{\"ociVersion\":\"1.0.2\",\"id\":\"%s\",\"pid\":%d,\"status\":\"%s\"}",
       id, pid, status);
  put(next, O_CREAT | O_EXCL, text);
  must(rename(next, path), path);
}

static pid_t create(const char *state, const char *bundle, const char *id, const char *pid_file,
                    int foreground) {
  char dir[256], rootfs[256], config[256], number[16], byte;
  static char text[1 << 16];
  form(config, sizeof config, "%s/config.json", bundle);
  get(config, text, sizeof text);
  form(rootfs, sizeof rootfs, "%s/rootfs", bundle);
  form(dir, sizeof dir, "%s/%s", state, id);
  find_cgroups();
  must(mkdir(dir, 0700), dir);
  int listener = -1;
  if (!foreground) {
    struct sockaddr_un address = socket_in(dir);
    listener = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    must(bind(listener, (struct sockaddr *)&address, sizeof address), address.sun_path);
    must(listen(listener, 1), "listen");
  }
  int cgroup = make_unified(id);
  int words[2];
  must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, words), "socketpair");
  pid_t pid = clone_into(cgroup);
  if (pid == 0) {
    close(words[0]);
    inside(rootfs, id, words[1], listener);
  }
  close(words[1]);
  make_cgroups(id);
  if (write(words[0], "g", 1) != 1 || read(words[0], &byte, 1) != 1)
    die("container");
  write_state(dir, id, pid, "created");
  if (pid_file) {
    char next[320];
    form(number, sizeof number, "%d", pid);
    form(next, sizeof next, "%s.tmp", pid_file);
    put(next, O_CREAT | O_TRUNC, number);
    must(rename(next, pid_file), pid_file);
  }
  return pid;
}

static void start(const char *state, const char *id) {
  char dir[256], path[300], text[1024], byte;
  form(dir, sizeof dir, "%s/%s", state, id);
  form(path, sizeof path, "%s/state.json", dir);
  get(path, text, sizeof text);
  struct sockaddr_un address = socket_in(dir);
  int fd = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  must(connect(fd, (struct sockaddr *)&address, sizeof address), address.sun_path);
  if (read(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 0)
    die("start");
  must(unlink(address.sun_path), address.sun_path);
}

static void delete (const char *state, const char *id, int foreground) {
  char dir[256], path[300], text[1024];
  form(dir, sizeof dir, "%s/%s", state, id);
  form(path, sizeof path, "%s/state.json", dir);
  if (!foreground) {
    get(path, text, sizeof text);
    find_cgroups();
  }
  remove_cgroups(id);
  must(unlink(path), path);
  must(rmdir(dir), dir);
}

int main(int argc, char **argv) {
  const char *verb = argc > 1 ? argv[1] : "";
  if (strcmp(verb, "create") == 0 && argc == 6) {
    create(argv[2], argv[3], argv[4], argv[5], 0);
  } else if (strcmp(verb, "start") == 0 && argc == 4) {
    start(argv[2], argv[3]);
  } else if (strcmp(verb, "delete") == 0 && argc == 4) {
    delete (argv[2], argv[3], 0);
  } else if (strcmp(verb, "run") == 0 && argc == 5) {
    int status;
    pid_t pid = create(argv[2], argv[3], argv[4], NULL, 1);
    must(waitpid(pid, &status, 0), "waitpid");
    delete (argv[2], argv[4], 1);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  } else {
    fprintf(stderr,
            "usage: floor create STATE BUNDLE ID PIDFILE | start STATE ID | delete STATE ID | run "
            "STATE BUNDLE ID\n");
    return 2;
  }
  return 0;
}
