# Podman: limits of memory, processors, processes and I/O.

# limits OPTION…: the cgroup files of a container with these options, as the container sees them. runc 1.4, crun 1.23
# and runt convert shares to weights by a curve, older versions linearly.
limits() {
  podman run --rm --network none "$@" bb sh -c '
    cd /sys/fs/cgroup
    for f in memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.swappiness memory/memory.oom_control \
      cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpuset/cpuset.cpus cpuset/cpuset.mems pids/pids.max blkio/blkio.bfq.weight blkio/blkio.throttle.read_bps_device \
      memory.max memory.low memory.swap.max cpu.weight cpu.max cpuset.cpus cpuset.mems pids.max io.weight io.max; do
      [ ! -e $f ] || { echo "$f:"; cat $f; }
    done | sed "/^cpu.weight:/{n;/^100\$/!s/.*/set/}"
    cat devices/devices.list 2>/dev/null | sort
    sed s/libpod-.*// /proc/self/cgroup'
}

scenario_limits_default() { limits; }
scenario_limits_memory() { limits --memory 64m --memory-reservation 32m --memory-swap 128m --oom-kill-disable=false; }
scenario_limits_memory_swappiness() {
  [ -d /sys/fs/cgroup/memory ] || missing 'v2 has no swappiness of one cgroup'
  limits --memory 64m --memory-swap -1 --memory-swappiness 10
}
scenario_limits_cpus() { limits --cpus 0.5 --cpu-shares 300; }
scenario_limits_cpu_period() { limits --cpu-period 50000 --cpu-quota 20000 --cpuset-cpus 0 --cpuset-mems 0; }
# Under systemd such a quota is set in a cgroup below that of the unit (docs/systemd.md).
scenario_limits_cpu_exact() {
  limits --cpu-period 100000 --cpu-quota 12345
  podman run -d --name c --network none --cpu-period 100000 --cpu-quota 12345 --memory 64m bb sleep 100
  podman stats --no-stream --format '{{.Name}} {{.PIDs}}' c
  podman pause c
  podman unpause c
  podman update --cpu-quota 23456 --memory 96m c
  podman exec c sh -c 'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max /sys/fs/cgroup/memory.max 2>/dev/null; true'
  podman top c comm
  podman stop -t 0 c
  podman inspect -f '{{.State.Status}} {{.State.ExitCode}}' c
}
scenario_limits_pids() { limits --pids-limit 17; }
scenario_limits_pids_unlimited() { limits --pids-limit -1; }
scenario_limits_of_devices() { limits --device /dev/fuse --device-cgroup-rule 'c 42:* rwm'; }
scenario_limits_of_a_privileged_one() { limits --privileged; }
scenario_limits_of_io() {
  local disk
  disk=$(lsblk -dno PATH 2>/dev/null | head -n 1)
  [ -b "$disk" ] || missing 'no disk to limit'
  limits --device-read-bps "$disk:1mb"
}

scenario_memory_is_limited() {
  podman run --name c --network none --memory 24m bb sh -c 'head -c 200m /dev/zero | tail' >/dev/null 2>&1 || echo "status $?"
  # The container is stopped only after podman has cleaned up.
  eventually prints exited podman inspect -f '{{.State.Status}}' c
}

# noted_oom: whether conmon has written its oom file; podman 4.3 runs it in /
noted_oom() { [ -n "$(find /oom /run/libpod/persist /var/lib/containers/storage/overlay-containers -name oom 2>/dev/null)" ]; }

noted_or_ended() { noted_oom || ! prints running podman inspect -f '{{.State.Status}}' c; }

# conmon watches the cgroup from shortly after the start until the cgroup is gone: the process keeps running out of
# memory until conmon has seen it. On v2 conmon sometimes misses all of them, also with runc: then another container is
# started, and podman's output about the first one does not count.
scenario_out_of_memory() {
  for attempt in 1 2 3; do
    rm -rf /tmp/held /oom
    mkdir /tmp/held
    podman run -d --name c --network none --memory 16m -v /tmp/held:/held bb sh -c 'while tail /dev/zero; status=$?; [ ! -e /held/end ]; do sleep 0.1; done; exit $status' >/dev/null
    for _ in $(seq 30); do
      ! noted_or_ended || break
      sleep 0.1
    done
    ! noted_oom || break
    echo "attempt $attempt: no OOM noted" >>"$NOTE"
    [ "$attempt" = 3 ] || podman rm -f -t 0 c >/dev/null
  done
  touch /tmp/held/end
  podman wait c
  podman inspect -f '{{.State.ExitCode}}' c
  [ -e /sys/fs/cgroup/cgroup.controllers ] || podman inspect -f '{{.State.OOMKilled}}' c
}

scenario_processes_are_limited() {
  podman run --rm --network none --pids-limit 10 bb sh -c 'for i in $(seq 30); do sleep 1 & done; wait' >/tmp/words 2>&1 || true
  grep -o -m 1 "can't fork" /tmp/words
}

scenario_update() {
  podman run -d --name c --network none --memory 64m bb sleep 100
  podman update --memory 96m --cpus 0.25 --cpuset-cpus 0 c
  podman exec c sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpuset/cpuset.cpus /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max 2>/dev/null; true'
}

scenario_cgroup_parent() {
  podman run --rm --network none --cgroup-parent "$(parent)" bb sh -c 'sed s/libpod-.*// /proc/self/cgroup'
  podman run --rm --network none --cgroupns private bb cat /proc/self/cgroup
  podman run --rm --network none --cgroupns host bb sh -c 'sed s/libpod-.*// /proc/self/cgroup'
}

scenario_cgroups_no_conmon() {
  podman run --rm --network none --cgroups no-conmon bb echo ok
}

scenario_crun_cgroups_disabled() {
  podman run --rm --network none --cgroups disabled bb echo ok
  podman run -d --name c --network none --cgroups disabled bb sleep 100
  podman exec c echo ok
  podman stop -t 0 c
}

cgroup_left() { find /sys/fs/cgroup -name 'libpod-*' | grep -v conmon; }

scenario_cgroups_are_removed() {
  podman run -d --name c --network none bb sleep 100
  podman rm -f -t 0 c
  # systemd removes the cgroup of a scope a little later.
  eventually no cgroup_left || cgroup_left
}
