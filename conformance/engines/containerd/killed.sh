# A shim that is killed takes its container with it.

scenario_ctr_shim_killed() {
  run -d $bb c sh -c 'touch /up; sleep 98766'
  until_up c
  pkill -KILL -f '^[^ ]*containerd-shim-run[ct](-grpc)?-v[12].* -id c '
  eventually no pgrep -fx 'sleep 98766' || true
  pgrep -fx 'sleep 98766' || echo none
  ctr task rm -f c >/dev/null 2>&1 || true
  ctr container rm c
}
