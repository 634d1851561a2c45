# Docker: what a container's process sees, its limits, mounts and namespaces.

# Differences that are left out: those of view in podman/inside.sh, and that runc's root is a slave of the host's mount
# if that is shared; runt's is private.
view() {
  run --rm --hostname h "$@" bb sh -c '
    exec 2>&1
    id
    pwd
    hostname
    env | sort
    grep -E "^(Cap|NoNewPrivs|Seccomp:|Groups)" /proc/self/status
    ulimit -a | grep -v pending
    cat /proc/self/oom_score_adj
    cut -d " " -f 5,6,7,8,9,10 /proc/self/mountinfo | sort
    find /dev | xargs stat -c "%A %u:%g %n %t,%T" | grep -v "^d" | sort
    for f in /proc/kcore /proc/keys /proc/timer_list /proc/acpi /sys/firmware; do
      ls -d $f && { head -c 1 $f 2>/dev/null | wc -c; ls $f 2>/dev/null | wc -l; }
    done
    touch /proc/sys/kernel/domainname || echo no
    mkdir /sys/x || true' | sed -e 's#lowerdir=[^ ]*##' -e 's#^\(/sys/fs/cgroup\) r[ow],\(.* tmpfs \)#\1 \2#' -e 's/,size=4k,nr_inodes=1$//' -e '/^\/run /s/,mode=755$//' -e 's#^\(/ [^ ]*\) master:[0-9]*#\1#' -e 's/ overlay overlay rw,$/ overlay overlay/'
}

scenario_docker_view() { view; }
scenario_docker_view_privileged() { view --privileged; }
scenario_docker_view_user() { view --user 1000:5 --group-add 2000 --workdir /home/user --env A=1; }
scenario_docker_view_capabilities() { view --cap-drop ALL --cap-add NET_ADMIN --cap-add SYS_TIME; }
scenario_docker_view_unconfined() { view --security-opt seccomp=unconfined --security-opt systempaths=unconfined; }
scenario_docker_view_no_new_privileges() { view --security-opt no-new-privileges --user 1000; }
scenario_docker_view_read_only() { view --read-only --tmpfs /run:size=1m --tmpfs /t:exec,mode=1770; }
scenario_docker_view_limits() { view --ulimit nofile=512:1024 --ulimit core=0 --shm-size 4m --oom-score-adj 500; }

scenario_docker_seccomp() {
  echo '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_AARCH64"],"syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}' >/tmp/profile.json
  run --rm --security-opt seccomp=/tmp/profile.json bb sh -c 'mkdir /a 2>&1' || echo "status $?"
  run --rm bb sh -c 'unshare -U true 2>&1' || echo "status $?"
}

scenario_docker_devices_and_sysctl() {
  run --rm --device /dev/fuse --device /dev/full:/dev/fuller:r --device-cgroup-rule 'c 42:* rwm' bb sh -c 'exec 2>&1; ls -l /dev/fuse | cut -c 1-10; head -c 1 /dev/fuller | wc -c; echo x >/dev/fuller; grep "c 42" /sys/fs/cgroup/devices/devices.list; mknod /x c 8 0; head -c 1 /x; true'
  run --rm --sysctl net.ipv4.ip_unprivileged_port_start=80 bb cat /proc/sys/net/ipv4/ip_unprivileged_port_start
}

# runc 1.4, crun 1.23 and runt convert shares to weights by a curve, older versions linearly.
limits() {
  run --rm "$@" bb sh -c '
    cd /sys/fs/cgroup
    for f in memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.swappiness \
      cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpuset/cpuset.cpus pids/pids.max \
      memory.max memory.low memory.swap.max cpu.weight cpu.max cpuset.cpus pids.max; do
      [ ! -e $f ] || { echo "$f:"; cat $f; }
    done | sed "/^cpu.weight:/{n;/^100\$/!s/.*/set/}"
    cat devices/devices.list 2>/dev/null | sort
    cat /proc/self/cgroup'
}

scenario_docker_limits_default() { limits; }
scenario_docker_limits_memory() { limits --memory 64m --memory-reservation 32m --memory-swap 128m --memory-swappiness 10; }
scenario_docker_limits_cpus() { limits --cpus 0.5 --cpu-shares 300 --cpuset-cpus 0; }
# Under systemd such a quota is set in a cgroup below that of the unit (docs/systemd.md).
scenario_docker_limits_cpu_exact() {
  run -d --name cc --cpus 0.12345 --memory 64m bb sleep 100
  docker stats --no-stream --format '{{.Name}} {{.PIDs}}' cc
  docker update --cpus 0.23456 cc
  docker exec cc sh -c 'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max /sys/fs/cgroup/memory.max 2>/dev/null; true'
  docker stop -t 0 cc
  docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' cc
}
scenario_docker_limits_pids() { limits --pids-limit 17 --cgroup-parent "$(parent)"; }

# The shim of runc watches the cgroup from shortly after the start until the cgroup is gone: the process keeps running
# out of memory until docker has got the event.
scenario_docker_out_of_memory() {
  rm -rf /tmp/held
  mkdir /tmp/held
  run -d --name cc --memory 16m -v /tmp/held:/held bb sh -c 'while tail /dev/zero; status=$?; [ ! -e /held/end ]; do sleep 0.1; done; exit $status'
  docker events --since 0 --filter container=cc --filter event=oom >/tmp/events 2>&1 &
  eventually grep ' oom ' /tmp/events
  kill $!
  touch /tmp/held/end
  docker wait cc
  docker inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' cc
}

scenario_docker_update() {
  run -d --name cc --memory 64m bb sleep 1000
  docker update --memory 96m --memory-swap 192m --cpus 0.25 --pids-limit 30 cc
  docker exec cc sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max 2>/dev/null; true'
}

scenario_docker_volumes() {
  rm -rf /tmp/v
  mkdir -p /tmp/v/sub
  echo data >/tmp/v/file
  run --rm -v /tmp/v:/v bb sh -c 'cat /v/file; echo new >/v/new'
  cat /tmp/v/new
  fails run --rm -v /tmp/v:/v:ro bb touch /v/x
  run --rm -v named:/etc bb sh -c 'echo kept >/etc/kept'
  run --rm -v named:/x bb cat /x/kept /x/passwd
  docker volume rm named
  run --rm --mount type=bind,src=/tmp/v,dst=/v,readonly bb grep -c ' /v [a-z0-9]* ro' /proc/mounts
  run --rm --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770 bb grep ' /t ' /proc/mounts
  run --rm -v /tmp/v/file:/etc/file:ro bb cat /etc/file
}

scenario_docker_volume_propagation() {
  rm -rf /tmp/v
  mkdir -p /tmp/v/sub
  mount --bind /tmp/v /tmp/v
  mount --make-shared /tmp/v
  for p in rprivate rslave rshared; do
    echo "$p"
    run -d --name cc --cap-add SYS_ADMIN --security-opt seccomp=unconfined -v "/tmp/v:/v:$p" bb sleep 1000 >/dev/null
    mount -t tmpfs outside /tmp/v/sub
    docker exec cc grep -c '^outside /v/sub' /proc/mounts || true
    umount /tmp/v/sub
    docker exec cc mount -t tmpfs inside /v/sub
    grep -c '^inside /tmp/v/sub' /proc/mounts || true
    docker rm -f cc >/dev/null
    umount /tmp/v/sub 2>/dev/null || true
  done
  umount /tmp/v
}

scenario_docker_namespaces() {
  run -d --name cc --hostname first --ipc shareable bb sh -c 'echo shared >/dev/shm/x; sleep 1000'
  eventually docker exec cc test -s /dev/shm/x
  eventually docker exec cc sh -c 'ps -o args | grep -x "sleep 1000"'
  docker run --runtime "$RUNTIME" --rm --network container:cc --ipc container:cc --pid container:cc bb sh -c 'hostname; cat /dev/shm/x; cat /proc/1/comm; ps -o args | grep -c "sleep 100[0]"'
  docker run --runtime "$RUNTIME" --rm --network host --pid host --ipc host --uts host --cgroupns host bb sh -c 'hostname; [ $$ != 1 ]; readlink /proc/self/ns/net' >/tmp/ns
  head -n 1 /tmp/ns
  [ "$(tail -n 1 /tmp/ns)" = "$(readlink /proc/self/ns/net)" ]
  run --rm --cgroupns private bb cat /proc/self/cgroup
}

scenario_docker_user_namespace() {
  grep -q ^dockremap: /etc/subuid || echo dockremap:100000:65536 | tee -a /etc/subuid >>/etc/subgid
  id dockremap >/dev/null 2>&1 || useradd -r dockremap
  stop_daemon
  daemon --userns-remap dockremap
  tar -C "$ROOTFS" -c . | docker import -c 'ENV PATH=/bin' - bb >/dev/null
  run --rm --tmpfs /t --read-only bb sh -c 'id -u; cat /proc/self/uid_map; stat -c %u:%g / /etc/passwd /t /dev/null; grep CapEff /proc/self/status' || echo "status $?"
  run -d --name cc bb sleep 1000
  shown cc docker exec -t cc sh -c 'id -u; stat -c %u:%g $(tty); '"$seen"
  docker exec -u 1000 cc id -u
  docker rm -f cc >/dev/null
  stop_daemon
  daemon
}
