# Podman: checkpoint and restore, by criu. It works in conformance/engines/run --qemu podman/checkpoint

# counting OPTION…: a container that counts, after a check of what a checkpoint needs
counting() {
  command -v criu >/dev/null || missing 'criu is not installed'
  criu check >/dev/null 2>&1 || missing '"criu check" fails on this kernel'
  [ "${DRIVER:-cgroupfs}" = cgroupfs ] || missing 'runt restores into no scope of systemd'
  podman run -d --name c --network none "$@" bb sh -c 'i=0; while sleep 0.1; do i=$((i + 1)); echo $i; done' >/dev/null
  goes_on c
}

# goes_on NAME: waits until two more steps are counted, and checks that each was counted once
goes_on() {
  local from
  from=$(podman logs "$1" | wc -l)
  eventually has_logged "$1" . $((from + 2))
  podman logs "$1" | awk '$1 != NR { print "step " $1 " on line " NR; bad = 1 } END { exit bad }'
}

counts_beyond() { [ "$(podman logs --tail 1 d | grep . || echo 0)" -gt "$1" ]; }

told() { podman inspect -f '{{.State.Status}} {{.State.Checkpointed}} {{.State.Restored}}' "$1"; }

scenario_checkpoint_and_restore() {
  counting --memory 64m --pids-limit 50
  podman container checkpoint c
  told c
  podman container restore c
  told c
  goes_on c
  # On cgroup v1 runc restores no limits.
  podman exec c sh -c 'cd /sys/fs/cgroup; ! [ -e memory.max ] || cat memory.max pids.max; cat /proc/1/comm; hostname | wc -c; ! mkdir pids/x'
  podman pause c && podman unpause c
  goes_on c
  podman stop -t 0 c
  podman inspect -f '{{.State.ExitCode}}' c
}

scenario_checkpoint_leaves_it_running() {
  counting
  podman container checkpoint -R c
  told c
  goes_on c
}

scenario_checkpoint_to_a_file_and_another_name() {
  counting -v /tmp:/v --hostname h
  podman container checkpoint --export /tmp/c.tar c
  local last
  last=$(podman logs --tail 1 c)
  podman rm c
  podman container restore --import /tmp/c.tar --name d >/dev/null
  told d
  podman exec d sh -c 'hostname; test -f /v/c.tar && echo bound'
  # podman decides how much of the log is restored: 1 is at most its first line.
  eventually counts_beyond "$last"
  podman logs d | awk 'NR > 1 && $1 == 1 { print "began again" }'
}

scenario_checkpoint_after_a_pre_checkpoint() {
  counting
  podman container checkpoint -P -e /tmp/pre.tar c
  goes_on c
  podman container checkpoint --with-previous -e /tmp/post.tar c
  podman rm c
  podman container restore --import-previous /tmp/pre.tar --import /tmp/post.tar >/dev/null
  told c
  podman exec c echo ok
}

scenario_checkpoint_with_flags() {
  counting
  podman container checkpoint --file-locks --tcp-established --keep c
  podman container restore --file-locks --tcp-established --keep c
  goes_on c
  podman container checkpoint --print-stats c | grep -o -E '"(runtime_checkpoint_duration|freezing_time|frozen_time|memdump_time|memwrite_time|pages_scanned|pages_written)"'
  podman container restore --print-stats c | grep -o -E '"(runtime_restore_duration|forking_time|restore_time|pages_restored)"'
  goes_on c
}

scenario_checkpoint_of_what_does_not_run() {
  counting
  podman stop -t 0 c
  fails podman container checkpoint c
  fails podman container restore c
}
