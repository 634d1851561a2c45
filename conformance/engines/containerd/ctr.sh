# ctr: tasks from their create to their delete.

# until_up ID: waits until the container has /up
until_up() { until_there "$1" /up; }

# until_there ID PATH: waits until the container has that file
until_there() { eventually ctr task exec --exec-id "w$RANDOM" "$1" test -e "$2" </dev/null; }

# until_stopped: waits until a task has ended
until_stopped() { eventually prints STOPPED ctr task ls; }

# until_dead: waits until containerd has ended
until_dead() { eventually no pgrep -x containerd; }

# fed ID FILE COMMAND…: passes its input to COMMAND once the container has /fed, and closes that input when FILE has a
# line "fed". ctr up to 1.6 loses input from before the start of the process, and may lose input right before the end.
fed() {
  local id=$1 file=$2
  shift 2
  : >"$file"
  (
    until_there "$id" /fed
    cat
    eventually grep -qx fed "$file"
  ) | "$@" >"$file"
  sed '/^fed$/d' "$file"
}

# The script of a process whose output ends with a mark, and that then waits for the file /dev/shm/$0.
hold='"$@"; status=$?; echo shown-end; echo shown-end >&2; until [ -e "/dev/shm/$0" ]; do sleep 0.1; done; exit $status'

# waiting ID NAME COMMAND…: a command that makes the container run $hold with that name: its output and its status
waiting() {
  local id=$1 name=$2 status=0 running
  shift 2
  local out=/tmp/$name.out err=/tmp/$name.err
  "$@" >"$out" 2>"$err" &
  running=$!
  whole() { grep -q shown-end "$out" && grep -q shown-end "$err" || [ ! -d "/proc/$running" ]; }
  eventually whole || true
  ctr task exec --exec-id "w$RANDOM" "$id" touch "/dev/shm/$name" >/dev/null 2>&1 || true
  wait "$running" || status=$?
  sed '/^shown-end$/d' "$out"
  sed '/^shown-end$/d' "$err" >&2
  return $status
}

# shown [OPTION…] IMAGE ID COMMAND…: like run --rm. ctr sometimes loses output right before the end, with any runtime,
# so the container waits until the output has arrived.
shown() {
  local options=()
  while [ "$1" != "$bb" ]; do
    options+=("$1")
    shift
  done
  local id=$2 name=end$RANDOM$RANDOM
  shift 2
  waiting "$id" "$name" run --rm "${options[@]}" "$bb" "$id" sh -c "$hold" "$name" "$@"
}

# executed ID [--OPTION VALUE]… COMMAND…: the same for a process of ctr task exec
executed() {
  local id=$1 options=() name=end$RANDOM$RANDOM
  shift
  while [[ $1 == --* ]]; do
    options+=("$1" "$2")
    shift 2
  done
  waiting "$id" "$name" ctr task exec --exec-id "$name" "${options[@]}" "$id" sh -c "$hold" "$name" "$@"
}

scenario_ctr_output_and_status() {
  shown $bb c sh -c 'echo out; echo err >&2' 2>/tmp/err
  cat /tmp/err
  fails run --rm $bb c sh -c 'exit 7'
  fails run --rm $bb c sh -c 'sh -c "kill -KILL \$\$"'
  ctr task ls -q
  ctr container ls -q
}

scenario_ctr_program_missing() {
  fails run --rm $bb c nonexistent
  fails run --rm $bb c /etc/passwd
  run --rm $bb d nonexistent 2>&1 | grep -o 'executable file.* not found in $PATH' || true
  run --rm $bb e /etc/passwd 2>&1 | grep -o 'permission denied' || true
}

scenario_ctr_failed_create() {
  fails run --rm --mount type=bind,src=/nonexistent,dst=/x,options=rbind $bb c true
  find /run/containerd /run/runc -name 'c' 2>/dev/null || true
  find /sys/fs/cgroup -path '*/default/c' -o -name 'runc-c.scope' | head -n 1
}

scenario_ctr_exec() {
  run -d $bb c sh -c 'touch /up; sleep 1000'
  until_up c
  executed c sh -c 'echo out; exit 7' || echo "status $?"
  printf 'in\nfed\n' | fed c /tmp/fed ctr task exec --exec-id e c sh -c ': >/fed; cat'
  executed c --cwd /etc --user 1000:5 sh -c 'id; pwd'
  fails ctr task exec --exec-id e c nonexistent
  ctr task exec -d --exec-id d c sh -c 'touch /detached; sleep 1000'
  until_there c /detached
  ctr task ps c | sed -n '2,$p' | wc -l
  ctr task kill --exec-id d -s KILL c
}

# Long sleeps at the end, for the reason of shown: a mark cannot be written to a terminal.
scenario_ctr_tty() {
  script -qec "ctr --address $address run --rm -t $flags $bb c sh -c 'tty; test -t 0 && test -t 2 && echo terminal; stat -c %u:%g:%a \$(tty); sleep 2; exit 3'" /dev/null || echo "status $?"
  run -d $bb c sh -c 'touch /up; sleep 1000'
  until_up c
  script -qec "stty rows 31 cols 77; ctr --address $address task exec -t --exec-id t c sh -c 'i=0; until stty size 2>/dev/null | grep -q 31.77 || [ \$i -gt 300 ]; do i=\$((i + 1)); sleep 0.1; done; tty; stty size; sleep 2; exit 4'" /dev/null || echo "status $?"
}

scenario_ctr_kill() {
  run -d $bb c sh -c 'trap "echo hup >/h; mv /h /hup" HUP; touch /up; while :; do sleep 0.1; done'
  until_up c
  ctr task kill -s HUP c
  until_there c /hup
  executed c cat /hup
  ctr task kill -s KILL c
  until_stopped
  fails ctr task kill -s KILL c
  ctr task rm c || echo "status $?"
  ctr container rm c
}

scenario_ctr_kill_all() {
  run -d --with-ns pid:/proc/1/ns/pid $bb c sh -c 'sleep 98765 & touch /up; sleep 98765'
  until_up c
  ctr task kill -a -s KILL c
  until_stopped
  eventually no pgrep -fx 'sleep 98765' || true
  pgrep -fx 'sleep 98765' || echo none
}

scenario_ctr_pause() {
  run -d $bb c sh -c 'touch /up; sleep 1000'
  until_up c
  ctr task pause c
  ctr task ls | awk '{ print $1, $3 }'
  fails ctr task pause c
  ctr task resume c
  ctr task ls | awk '{ print $1, $3 }'
  executed c echo again
}

scenario_ctr_ps_and_metrics() {
  run -d --memory-limit 67108864 $bb c sh -c 'touch /up; sleep 1000'
  until_up c
  ctr task ps c | wc -l
  ctr task metrics c | awk '{ print $1 }' | grep -v '^ID$'
  [ "$(ctr task metrics c | awk '$1 ~ /^memory.usage(_in_bytes)?$/ { print ($2 > 0) }')" = 1 ]
}

# Under systemd such a quota is set in a cgroup below that of the unit (docs/systemd.md).
scenario_ctr_limits_cpu_exact() {
  run -d --memory-limit 67108864 --cpu-period 100000 --cpu-quota 12345 $bb c sh -c 'touch /up; sleep 1000'
  until_up c
  executed c sh -c 'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max /sys/fs/cgroup/memory.max 2>/dev/null; true'
  ctr task ps c | wc -l
  [ "$(ctr task metrics c | awk '$1 ~ /^memory.usage(_in_bytes)?$/ { print ($2 > 0) }')" = 1 ]
}

scenario_ctr_limits() {
  shown --memory-limit 67108864 --cpus 0.5 $bb c sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max 2>/dev/null; cat /proc/self/cgroup'
  local place=/tests/one
  [ "$DRIVER" != systemd ] || place=tests.slice:runc:one
  shown --cpu-shares 300 --cgroup "$place" $bb c sh -c 'cat /sys/fs/cgroup/cpu/cpu.shares 2>/dev/null; [ "$(cat /sys/fs/cgroup/cpu.weight 2>/dev/null)" != 100 ] || echo as by default; cat /proc/self/cgroup'
}

# The shim of runc watches the cgroup from shortly after the start until the cgroup is gone: the process keeps running
# out of memory until the shim has reported it.
scenario_ctr_out_of_memory() {
  rm -rf /tmp/held
  mkdir /tmp/held
  watched
  run -d --memory-limit 16777216 --mount type=bind,src=/tmp/held,dst=/held,options=rbind $bb c sh -c 'while tail /dev/zero; status=$?; [ ! -e /held/end ]; do sleep 0.1; done; exit $status'
  eventually grep -a /tasks/oom /tmp/events
  touch /tmp/held/end
  eventually grep -a '/tasks/exit.*"exit_status":137' /tmp/events
  kill $events
  grep -ao '/tasks/[a-z]*' /tmp/events | grep -v delete | sort -u
}

scenario_ctr_view() {
  shown $bb c sh -c '
    exec 2>&1
    id
    pwd
    hostname
    env | sort
    grep -E "^(Cap|NoNewPrivs|Seccomp:|Groups)" /proc/self/status
    ulimit -n
    cat /proc/self/oom_score_adj
    cut -d " " -f 5,6,7,8,9,10 /proc/self/mountinfo | sort
    find /dev | xargs stat -c "%A %u:%g %n %t,%T" | grep -v "^d" | sort
    mkdir /sys/x || true' | sed -e 's#lowerdir=[^ ]*##' -e 's#^\(/sys/fs/cgroup\) r[ow],\(.* tmpfs \)#\1 \2#' -e 's/,size=4k,nr_inodes=1$//'
}

scenario_ctr_options() {
  shown --cwd /etc --env A=b --read-only $bb c sh -c 'exec 2>&1; pwd; echo $A; touch /x' || echo "status $?"
  ! ctr run --help | grep -e '--user value' >/dev/null || shown --user 1000:5 $bb c id
  shown --privileged $bb c grep -E '^(Cap|Seccomp:)' /proc/self/status
  shown --seccomp $bb c grep Seccomp: /proc/self/status
  shown --cap-add CAP_SYS_TIME --cap-drop CAP_CHOWN $bb c grep Cap /proc/self/status
  shown --device /dev/fuse $bb c sh -c 'ls -l /dev/fuse | cut -c 1-10'
  mkdir -p /tmp/v
  shown --mount type=bind,src=/tmp/v,dst=/v,options=rbind:ro $bb c sh -c 'exec 2>&1; touch /v/x || grep " /v " /proc/mounts | cut -d " " -f 2,4 | cut -d , -f 1'
  shown --mount type=tmpfs,src=tmpfs,dst=/t,options=size=1m:noexec $bb c grep ' /t ' /proc/mounts
  shown --net-host $bb c readlink /proc/self/ns/net >/tmp/ns
  [ "$(cat /tmp/ns)" = "$(readlink /proc/self/ns/net)" ]
}

scenario_ctr_host() {
  mkdir -p /tmp/v
  echo 'of the host' >/tmp/v/file
  shown --mount type=bind,src=/,dst=/host,options=rbind:ro $bb c sh -c 'cat /host/tmp/v/file; ls -d /host/usr/lib/os-release /host/proc/self'
  shown --mount type=bind,src=/tmp/..,dst=/host,options=rbind:rslave $bb c sh -c 'cat /host/tmp/v/file; ls -d /host/usr/lib/os-release'
}

scenario_ctr_pid_file() {
  run -d --pid-file /tmp/pid $bb c sleep 1000
  [ "$(cat /tmp/pid)" = "$(ctr task ls | awk '$1 == "c" { print $2 }')" ]
  od -c /tmp/pid | grep -c '\\n' || true
}

scenario_ctr_namespaces() {
  run -d --cap-add CAP_SYS_ADMIN $bb c sh -c 'hostname pause; touch /up; sleep 1000'
  until_up c
  pid=$(ctr task ls | awk '$1 == "c" { print $2 }')
  shown --with-ns "network:/proc/$pid/ns/net" --with-ns "ipc:/proc/$pid/ns/ipc" --with-ns "uts:/proc/$pid/ns/uts" --with-ns "pid:/proc/$pid/ns/pid" $bb d sh -c '
    hostname; for n in net ipc uts pid; do readlink /proc/self/ns/$n; done' >/tmp/ns 2>/dev/null
  head -n 1 /tmp/ns
  for n in net ipc uts pid; do grep -c "^$(readlink "/proc/$pid/ns/$n" | sed 's/[][]/\\&/g')" /tmp/ns; done
}

scenario_ctr_user_namespace() {
  shown --uidmap 0:100000:65536 --gidmap 0:100000:65536 $bb c sh -c 'id -u; cat /proc/self/uid_map; stat -c %u:%g / /etc/passwd; touch /x'
}

# ctr of containerd 2.4 sets no PATH for a container without an image.
scenario_ctr_rootfs() {
  rm -rf /tmp/rootfs
  cp -a "$ROOTFS" /tmp/rootfs
  run -d --env PATH=/bin --rootfs /tmp/rootfs c /bin/sh -c 'echo from >/made; sleep 1000'
  until_there c /made
  cat /tmp/rootfs/made
  ls /tmp/rootfs/made
}

scenario_ctr_restart_of_containerd() {
  run -d $bb c sh -c 'touch /up; sleep 1000'
  until_up c
  pkill -x -KILL containerd
  until_dead
  daemon
  ctr task ls | awk '{ print $1, $3 }'
  executed c echo again
  ctr task kill -s KILL c
  until_stopped
}

# The shim of containerd 2.1 often ends before it reports the delete, with any runtime.
scenario_ctr_events() {
  watched
  run --rm $bb c true
  run -d $bb d sh -c 'touch /up; sleep 1000'
  until_up d
  ctr task pause d
  ctr task resume d
  ctr task kill -s KILL d
  eventually grep -a '/tasks/exit.*"exit_status":137' /tmp/events
  kill $events
  grep -aE '/tasks/(create|start|exit|paused|resumed)' /tmp/events | grep -av exec | grep -ao '/tasks/[a-z]*.*"exit_status":[0-9]*\|/tasks/[a-z]*' | sed 's/ .*exit/ exit/'
}

scenario_ctr_many() {
  for i in $(seq 10); do shown $bb "m$i" echo "$i" >"/tmp/many-$i" 2>&1 & done
  wait
  for i in $(seq 10); do cat "/tmp/many-$i"; done
  ls "$states"
}
