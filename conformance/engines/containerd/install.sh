# containerd with the file of docs/install.md: what it makes of it, and a container. Pods need a client of CRI.
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../page"

scenario_ctr_install_page() {
  local block=1
  containerd --version | grep -q ' 2\.' || block=2
  page /etc/containerd/config.toml $block >/tmp/page.toml
  containerd --config /tmp/page.toml config dump | sed -n '/runtimes.runt\]/,/SystemdCgroup/p' | grep -E 'runtimes.runt|runtime_type|BinaryName|SystemdCgroup' | tr -d " '\""
  pkill -x containerd
  while pgrep -x containerd >/dev/null; do sleep 0.1; done
  trap 'pkill -x containerd; while pgrep -x containerd >/dev/null; do sleep 0.1; done; daemon' EXIT
  # Its places are those of the usual one, so that the image is there; CRI is on.
  sed "1a root = '/var/lib/containerd'\nstate = '/run/containerd'\n[grpc]\n  address = '/run/containerd.sock'" /tmp/page.toml >/tmp/page-here.toml
  (
    containerd --config /tmp/page-here.toml >>/tmp/containerd.log 2>&1 </dev/null &
    disown
  )
  for _ in $(seq 100); do
    ! ctr version >/dev/null 2>&1 || break
    sleep 0.1
  done
  ctr plugins ls | awk '/\.cri/ && $NF == "error" || $2 == "cri" { print $1, $2, $NF }' | sort
  run --rm "$bb" c1 echo by path
}
