# containerd with the file of docs/install.md: the resulting configuration, and a container. Pods need a client of CRI.
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../page"

scenario_ctr_install_page() {
  local block=1
  containerd --version | grep -q ' 2\.' || block=2
  page /etc/containerd/config.toml $block >/tmp/page.toml
  containerd --config /tmp/page.toml config dump | sed -n '/runtimes.runt\]/,/SystemdCgroup/p' | grep -E 'runtimes.runt|runtime_type|BinaryName|SystemdCgroup' | tr -d " '\""
  pkill -x containerd
  until_dead
  trap 'pkill -x containerd; until_dead; daemon' EXIT
  # The paths are the usual ones, so that the image is found; CRI is enabled.
  sed "1a root = '/var/lib/containerd'\nstate = '/run/containerd'\n[grpc]\n  address = '/run/containerd.sock'" /tmp/page.toml >/tmp/page-here.toml
  (
    containerd --config /tmp/page-here.toml >>/tmp/containerd.log 2>&1 </dev/null &
    disown
  )
  eventually ctr version
  ctr plugins ls | awk '/\.cri/ && $NF == "error" || $2 == "cri" { print $1, $2, $NF }' | sort
  run --rm "$bb" c1 echo by path
}
