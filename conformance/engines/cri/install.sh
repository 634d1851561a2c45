# CRI-O as `runt install` configures it: install, a pod, an upgrade, and the way back.
# shellcheck disable=SC2154 # from setup.sh
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../installs"

# crio_with DIRECTORY: a CRI-O with that as /etc/crio
crio_with() {
  pkill -x crio
  eventually no pgrep -x crio
  rm -rf /etc/crio
  cp -a "$1" /etc/crio
  engine_starts
}

scenario_pod_install_crio() {
  local p c
  rm -rf /tmp/usual /tmp/host /opt/runt
  cp -a /etc/crio /tmp/usual
  cp -a /etc/crio /tmp/host
  trap '{ crictl rmp -a -f; runt install --undo; crio_with /tmp/usual; } >/dev/null 2>&1' EXIT
  # A host whose CRI-O does not know runt.
  rm /tmp/host/crio.conf.d/10-runt.conf
  sed -i "s/^default_runtime = .*/default_runtime = \"runc\"\ncgroup_manager = \"$DRIVER\"\nconmon_cgroup = \"pod\"/" /tmp/host/crio.conf
  crio_with /tmp/host
  (RUNTIME=runt HANDLER='' pod none "$namespaces" 2>&1 || true) | grep -o 'failed to find runtime handler runt'
  doctor_says CRI-O
  installed_earlier crio
  crio_with_new_config
  p=$(RUNTIME=runt HANDLER='' pod a "$namespaces")
  c=$(container "$p" a c 'echo runs; sleep 1000' "{ \"security_context\": $namespaces }")
  eventually prints runs lines a c
  # Of all runtimes only runt has the container.
  /opt/runt/runt --root /run/runt state "$c" | grep -o '"status": *"running"'
  upgraded crio
  run_in -s "$c" echo still there
  crictl stop --timeout 1 "$c" >/dev/null 2>&1
  ended "$c"
  doctor_says CRI-O
  crictl rmp -a -f >/dev/null 2>&1
  undone crio
  diff -r /etc/crio /tmp/host
}

# A change of the files is read at the next start.
crio_with_new_config() {
  cp -a /etc/crio /tmp/changed
  crio_with /tmp/changed
  rm -rf /tmp/changed
}
# Without a shared pid namespace CRI-O makes no container for the pod itself, whose oom_score_adj it would lower.
namespaces='{ "namespace_options": { "pid": 1 } }'
