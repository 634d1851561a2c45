# Podman: an image of busybox, the runtimes in containers.conf.

# The quick scenarios with the most coverage.
fast='output_and_status program_missing program_missing_text stdin created_then_started detached_wait_logs stop stop_that_is_ignored kill pause
  kill_when_paused attach tty healthcheck init hooks exec exec_tty exec_view top stats view view_user view_read_only limits_memory limits_cpus
  limits_pids processes_are_limited user_namespace user_namespace_exec ipc_namespace pid_namespace pod volume volume_overlay
  volume_with_mounts_below tmpfs build buildah rootless rootless_exec_and_stop rootless_keep_id install_page install_page_default'

# shellcheck source=conformance/engines/tables
. "$here/tables"
export PODMAN_IGNORE_CGROUPSV1_WARNING=1
podman() { command podman --runtime "$RUNTIME" "$@"; }

setup() {
  mkdir -p /etc/containers /root
  cat >/etc/containers/containers.conf <<END
[containers]
default_sysctls = []
log_driver = "k8s-file"
[engine]
cgroup_manager = "$DRIVER"
events_logger = "file"
runtime = "runc"
runtime_supports_json = ["crun", "runc", "runt"]
runtime_supports_nocgroup = ["crun", "runt"]
runtime_supports_nocgroups = ["crun", "runt"]
[engine.runtimes]
runt = ["/usr/local/bin/runt"]
END
  if older_tables; then
    cat >>/etc/containers/containers.conf <<END
[network]
firewall_driver = "iptables"
END
  fi
  cat >/etc/containers/policy.json <<<'{"default": [{"type": "insecureAcceptAnything"}]}'
  tar -C "$ROOTFS" -c . | command podman import --quiet -c 'CMD ["sh"]' -c 'ENV PATH=/bin:/sbin' - bb
}

versions() { echo "$(command podman --version), $(command buildah --version | sed 's/ (.*//'), $(conmon --version | sed -n 1p), $("$REFERENCE" --version | sed -n 1p)"; }

# podman 4.3 sometimes finds the shm of a pod busy that it removes, with any runtime.
tidy() {
  command podman pod rm --all --force --time 0 ||
  command podman pod rm --all --force --time 0
  command podman rm --all --force --time 0
  command podman volume prune --force
}

end() { :; }

# fails COMMAND…: prints the exit status of a failing command, without its output
fails() {
  local status=0
  "$@" >/dev/null 2>&1 || status=$?
  echo "status $status"
}

# logged NAME TEXT [TIMES]: waits until the container has logged one line, or this many lines, that contain TEXT
logged() { eventually has_logged "$@"; }
has_logged() { [ "$(podman logs "$1" 2>&1 | grep -c -e "$2")" -ge "${3:-1}" ]; }

# executes NAME TEXT: waits until the arguments of a process of the container contain TEXT, because the start of runc
# ends before its init has become the program
executes() { eventually prints "$2" podman top "$1" args; }

# parent: a cgroup for containers, as the cgroup manager names it
parent() { if [ "$DRIVER" = systemd ]; then echo tests.slice; else echo /tests; fi; }

# missing WHAT: ends a scenario that cannot run here
missing() {
  echo "$*"
  exit 77
}

# said TEXT COMMAND…: checks that a command fails and prints TEXT
said() {
  local text=$1 words
  shift
  ! words=$("$@" 2>&1)
  grep -o -m 1 "$text" <<<"$words"
}
