/** Texts of /proc/self/cgroup and /proc/self/mountinfo for each cgroup layout. */

/** Debian with systemd before cgroup v2: cpu and cpuacct share a hierarchy, systemd uses the unified hierarchy. */
export const hybrid = {
  cgroup: `12:pids:/user.slice/user-0.slice
11:cpu,cpuacct:/user.slice
10:net_cls,net_prio:/
9:memory:/user.slice/a:b
8:cpuset:/
7:devices:/user.slice
1:name=systemd:/user.slice/session-1.scope
0::/user.slice/session-1.scope
`,
  mountinfo: `22 28 0:20 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
31 22 0:27 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,mode=755
32 31 0:28 / /sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime shared:10 - cgroup2 cgroup2 rw,nsdelegate
33 31 0:29 / /sys/fs/cgroup/systemd rw,nosuid,nodev,noexec,relatime shared:11 - cgroup cgroup rw,xattr,name=systemd
37 31 0:33 / /sys/fs/cgroup/net_cls,net_prio rw,relatime shared:15 - cgroup cgroup rw,net_cls,net_prio
38 31 0:34 / /sys/fs/cgroup/cpuset rw,relatime shared:16 - cgroup cgroup rw,cpuset
39 31 0:35 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:17 - cgroup cgroup rw,cpu,cpuacct
40 31 0:36 / /sys/fs/cgroup/memory rw,relatime shared:18 - cgroup cgroup rw,memory
41 31 0:37 / /sys/fs/cgroup/pids rw,relatime shared:19 - cgroup cgroup rw,pids
42 31 0:38 / /sys/fs/cgroup/devices rw,relatime shared:20 - cgroup cgroup rw,devices
90 28 0:50 / /mnt/not\\040a\\040cgroup rw - tmpfs tmpfs rw
`,
};

export const v2 = {
  cgroup: '0::/user.slice/user-1000.slice/session-3.scope\n',
  mountinfo: `22 28 0:20 / /sys rw,nosuid - sysfs sysfs rw
28 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
31 22 0:27 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
`,
  controllers: 'cpuset cpu io memory hugetlb pids rdma misc\n',
};

/** A container on v1 without a cgroup namespace: its own cgroups are bind mounts, so mounts begin below the root. */
export const nested = {
  cgroup: '4:memory:/docker/0123\n3:cpuset:/docker/0123/inner\n2:pids:/elsewhere\n',
  mountinfo: `50 40 0:20 / /sys ro - sysfs sysfs ro
51 50 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw
52 51 0:28 /docker/0123 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory
53 51 0:29 /docker/0123 /sys/fs/cgroup/cpuset ro - cgroup cgroup rw,cpuset
54 51 0:30 /docker/0123 /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids
`,
};
