# Pods and their containers, as crictl makes them.
# shellcheck disable=SC2154 # from setup.sh

# pod NAME [SECURITY-CONTEXT]: a pod of the runtime's handler; its id
pod() {
  local hostname=", \"hostname\": \"$1\"" parent=''
  [ "$DRIVER" != systemd ] || parent=', "cgroup_parent": "tests.slice"'
  [[ ${2:-} != *network* ]] || hostname=''
  mkdir -p "/tmp/pods/$1"
  cat >"/tmp/pods/$1/pod.json" <<END
{ "metadata": { "name": "$1", "namespace": "default", "uid": "$1-$RUNTIME", "attempt": 1 }$hostname,
  "log_directory": "/tmp/pods/$1/logs", "linux": { "security_context": ${2:-{\}}$parent } }
END
  crictl runp -r "$(handler)" "/tmp/pods/$1/pod.json" 2>/tmp/pods/runp || {
    tail -n 1 /tmp/pods/runp >&2
    return 1
  }
}

# container POD-ID POD NAME COMMAND [LINUX [MORE]]: starts it; its id. COMMAND is for sh -c; LINUX and MORE are JSON,
# MORE has fields of the container.
container() {
  local config=/tmp/pods/$2/$3.json id
  cat >"$config" <<END
{ "metadata": { "name": "$3" }, "image": { "image": "registry.k8s.io/e2e-test-images/busybox:1.29-2" }, "log_path": "$3.log",
  "command": ["sh", "-c", $(node -p 'JSON.stringify(process.argv[1])' "$4")], "linux": ${5:-{\}} ${6:+, $6} }
END
  id=$(crictl create "$1" "$config" "/tmp/pods/$2/pod.json" 2>/dev/null) || crictl create "$1" "$config" "/tmp/pods/$2/pod.json"
  crictl start "$id" >/dev/null 2>&1 || crictl start "$id"
  echo "$id"
}

# status KIND ID EXPRESSION: an expression over the output of crictl inspect (inspectp for pods); s is its status
status() { crictl "$1" "$2" 2>/dev/null | node -p "const all = JSON.parse(require('fs').readFileSync(0, 'utf8')); const s = all.status; $3"; }

# executes ID TEXT: waits until the arguments of its first process contain TEXT, because the start of runc ends before
# its init has become the program
executes() { eventually prints "$2" crictl exec -s "$1" sh -c 'tr "\0" " " </proc/1/cmdline'; }

# ended ID: waits until the container has ended, and prints how
ended() {
  eventually prints CONTAINER_EXITED crictl inspect "$1"
  status inspect "$1" "s.state + ' ' + s.exitCode + ' ' + s.reason"
}

# run_in [OPTION…] ID COMMAND…: its output, and the failure if it failed
run_in() {
  crictl exec "$@" 2>/tmp/pods/exec && sed -E '/^time="|^(.\[33m)?WARN/d' /tmp/pods/exec || grep -oE 'exit code [0-9]+|exited with [0-9]+|no such file' /tmp/pods/exec | head -n 1
}

# lines POD NAME: the log without times
lines() { cut -d ' ' -f 2- "/tmp/pods/$1/logs/$2.log"; }

scenario_pod_runs() {
  local p c
  p=$(pod a)
  c=$(container "$p" a c 'trap "exit 3" TERM; echo up; while :; do sleep 0.1; done')
  eventually prints up lines a c
  status inspectp "$p" "s.state + ' ' + /^10\\.88\\./.test(s.network.ip)"
  status inspect "$c" "s.state + ' ' + all.info.pid.constructor.name"
  crictl ps --pod "$p" -o json 2>/dev/null | grep -E '"(name|state)"'
  crictl stop --timeout 60 "$c" >/dev/null 2>&1
  ended "$c"
  crictl rm "$c" >/dev/null 2>&1
  crictl stopp "$p" >/dev/null 2>&1
  status inspectp "$p" s.state
  crictl rmp "$p" >/dev/null 2>&1
  crictl pods -q 2>/dev/null | wc -l
}

scenario_pod_exec() {
  local p c
  p=$(pod b)
  c=$(container "$p" b c 'sleep 1000')
  run_in -s "$c" sh -c 'echo synchronous; hostname; cat /proc/1/comm'
  run_in "$c" sh -c 'echo streamed; echo to-stderr >&2'
  echo typed | run_in -i "$c" cat
  # Its input stays open until it has answered, because the end of the input would end the exec.
  rm -f /tmp/pods/keys
  mkfifo /tmp/pods/keys
  script -qec "'$tools/bin/crictl' exec -i -t $c sh -c 'test -t 0 && echo terminal; read x'" /dev/null </tmp/pods/keys >/tmp/pods/typed 2>/dev/null &
  exec 3>/tmp/pods/keys
  eventually grep terminal /tmp/pods/typed || true
  echo >&3
  wait $! || true
  exec 3>&-
  grep -o terminal /tmp/pods/typed || true
  run_in "$c" sh -c 'exit 7'
  run_in -s "$c" /no/such/program
}

scenario_pod_logs() {
  local p c
  p=$(pod c)
  c=$(container "$p" c c 'echo one; echo two >&2; printf three')
  ended "$c"
  lines c c | sort
  # Separately, because a line without a line feed would precede another one.
  crictl logs "$c" 2>/tmp/pods/err | sort
  grep -vE 'WARN|level=warning' /tmp/pods/err
}

scenario_pod_stats() {
  local p c
  p=$(pod d)
  c=$(container "$p" d c 'sleep 1000' '{"resources": {"memory_limit_in_bytes": 67108864, "cpu_shares": 512}}')
  eventually prints '"workingSetBytes"' crictl stats -o json --id "$c"
  crictl stats -o json --id "$c" 2>/dev/null | node -p "
    const [s] = JSON.parse(require('fs').readFileSync(0, 'utf8')).stats;
    [s.attributes.metadata.name, +s.cpu.usageCoreNanoSeconds.value > 0, +s.memory.workingSetBytes.value > 0, +s.memory.workingSetBytes.value < 67108864].join(' ')"
  crictl update --memory 134217728 "$c" 2>/dev/null | wc -l
  status inspect "$c" 's.resources.linux.memoryLimitInBytes'
}

scenario_pod_oom() {
  local p c said
  p=$(pod e)
  c=$(container "$p" e c 'dd if=/dev/zero of=/dev/null bs=100M count=10' '{"resources": {"memory_limit_in_bytes": 16777216}}')
  said=$(ended "$c")
  # The shim of runc often misses the cause if systemd has removed the cgroup by then: "Error".
  [ "$RUNTIME" = runc ] || [ "${said##* }" = OOMKilled ]
  echo "${said% *}"
}

# zombie PID: whether the process has ended
zombie() { [ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }

# containerd is killed, and another one starts after the containers have ended. It regards a task without processes as
# left over: with the shim of runc the status is then 255, Unknown.
scenario_pod_ends_while_engine_is_away() {
  [ "$RUNTIME" = runt ] && [ "${ENGINE:-containerd}" = containerd ] || exit 0
  local p c ids='' pids='' id pid
  local share='"mounts": [{"container_path": "/away", "host_path": "/tmp/pods/away"}]' until_go='until [ -e /away/go ]; do sleep 0.1; done'
  p=$(pod n)
  rm -rf /tmp/pods/away
  mkdir -p /tmp/pods/away
  for c in 'true' 'exit 42' 'tail /dev/zero; exit 9'; do
    id=$(container "$p" n "c${#ids}" "$until_go; $c" '{"resources": {"memory_limit_in_bytes": 33554432}}' "$share")
    ids+=" $id"
    pids+=" $(status inspect "$id" all.info.pid)"
  done
  pkill -x -KILL containerd
  eventually no pgrep -x containerd
  touch /tmp/pods/away/go
  for pid in $pids; do eventually zombie "$pid"; done
  engine_starts
  # containerd asks for the status; that memory ran out is an event, which it may get a little later.
  known() {
    for id in $ids; do ended "$id"; done >/tmp/pods/ends
    printf 'CONTAINER_EXITED %s\n' '0 Completed' '42 Error' '9 OOMKilled' | diff - /tmp/pods/ends >/tmp/pods/difference
  }
  eventually known || {
    cat /tmp/pods/difference
    return 1
  }
}

scenario_pod_host_namespaces() {
  local p c own='{"namespace_options": {"network": 2, "pid": 2, "ipc": 2}}'
  p=$(pod f "$own")
  c=$(container "$p" f c 'sleep 1000' "{\"security_context\": $own}")
  for n in net pid ipc uts mnt; do
    [ "$(run_in -s "$c" readlink "/proc/self/ns/$n" | head -n 1)" = "$(readlink "/proc/self/ns/$n")" ] && echo "$n of the host" || echo "$n of its own"
  done
  run_in "$c" sh -c 'exit 5'
  crictl stop --timeout 1 "$c" >/dev/null 2>&1
  ended "$c"
}

scenario_pod_shared_pid() {
  local p c d own='{"namespace_options": {"pid": 0}}'
  p=$(pod g "$own")
  c=$(container "$p" g c 'sleep 1000' "{\"security_context\": $own}")
  d=$(container "$p" g d 'sleep 2000' "{\"security_context\": $own}")
  eventually prints '^2$' run_in -s "$d" sh -c 'ps -o args | grep -c "^sleep"'
  run_in -s "$d" sh -c 'cat /proc/1/comm; ps -o args | grep -c "^sleep"'
  crictl stop --timeout 1 "$c" >/dev/null 2>&1
  ended "$c"
  run_in -s "$d" sh -c 'ps -o args | grep -c "^sleep"'
}

scenario_pod_target_pid() {
  local p c d
  p=$(pod h '{"namespace_options": {"pid": 1}}')
  c=$(container "$p" h c 'sleep 1000' '{"security_context": {"namespace_options": {"pid": 1}}}')
  d=$(container "$p" h d 'sleep 2000' "{\"security_context\": {\"namespace_options\": {\"pid\": 3, \"target_id\": \"$c\"}}}")
  executes "$d" 'sleep 1000'
  run_in -s "$d" sh -c 'tr "\0" " " </proc/1/cmdline'
}

scenario_pod_security_context() {
  local p c
  p=$(pod i)
  c=$(container "$p" i c 'sleep 1000' '{"security_context": {"run_as_user": {"value": 1000}, "run_as_group": {"value": 3000}, "supplemental_groups": [4000],
    "no_new_privs": true, "readonly_rootfs": true, "capabilities": {"drop_capabilities": ["ALL"], "add_capabilities": ["NET_ADMIN"]},
    "masked_paths": ["/proc/kcore"], "readonly_paths": ["/proc/sys"], "seccomp": {"profile_type": 0}}}')
  run_in -s "$c" sh -c 'id -u; id -g; id -G; grep -E "Cap(Bnd|Eff)|NoNewPrivs|Seccomp:" /proc/self/status; touch /x; wc -c </proc/kcore; echo 1 >/proc/sys/vm/swappiness; true' 2>&1
  c=$(container "$p" i d 'sleep 1000' '{"security_context": {"privileged": false, "run_as_username": "www-data"}}')
  run_in -s "$c" id
}

scenario_pod_seccomp() {
  local p c
  p=$(pod j)
  echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO"}]}' >/tmp/pods/profile.json
  c=$(container "$p" j c 'sleep 1000' '{"security_context": {"capabilities": {"add_capabilities": ["SYS_ADMIN"]},
    "seccomp": {"profile_type": 2, "localhost_ref": "/tmp/pods/profile.json"}}}')
  run_in "$c" hostname other
  run_in -s "$c" grep Seccomp: /proc/self/status
}

scenario_pod_mounts() {
  local p c
  p=$(pod k '{"privileged": true}')
  mkdir -p /tmp/pods/shared /tmp/pods/read
  mount -t tmpfs tmpfs /tmp/pods/shared
  mount --make-shared /tmp/pods/shared
  c=$(container "$p" k c 'sleep 1000' '{"security_context": {"privileged": true}}' '"mounts": [
    {"container_path": "/shared", "host_path": "/tmp/pods/shared", "propagation": 2},
    {"container_path": "/slave", "host_path": "/tmp/pods/shared", "propagation": 1},
    {"container_path": "/read", "host_path": "/tmp/pods/read", "readonly": true}]')
  run_in -s "$c" sh -c 'mkdir /shared/in && mount -t tmpfs inside /shared/in && touch /shared/in/file; touch /read/x; true' 2>&1
  ls /tmp/pods/shared/in
  mkdir /tmp/pods/shared/out
  mount -t tmpfs outside /tmp/pods/shared/out
  touch /tmp/pods/shared/out/file
  run_in -s "$c" ls /slave/out /shared/out
  crictl rmp -f "$p" >/dev/null 2>&1
  umount -R /tmp/pods/shared
}

scenario_pod_user_namespace() {
  local p c own='{"namespace_options": {"pid": 1, "userns_options": {"mode": 0,
    "uids": [{"container_id": 0, "host_id": 100000, "length": 65536}], "gids": [{"container_id": 0, "host_id": 100000, "length": 65536}]}}}'
  if ! crictl info 2>/dev/null | grep user_namespaces >/dev/null; then
    echo 'the engine knows no user namespaces of pods'
    return 77
  fi
  p=$(pod l "$own")
  c=$(container "$p" l c 'echo file >/tmp/made; sleep 1000' "{\"security_context\": $own}")
  eventually crictl exec -s "$c" test -s /tmp/made
  run_in -s "$c" sh -c 'sed "s/  */ /g" /proc/self/uid_map; stat -c "%u %n" /bin /tmp/made; id -u'
}

scenario_pod_failures() {
  local p
  p=$(pod m)
  container "$p" m c 'echo never' '{"security_context": {"run_as_username": "nobody-here"}}' 2>&1 | grep -oE 'no users found|no matching entries in passwd file' | head -n 1 || true
  cat >/tmp/pods/m/d.json <<'END'
{ "metadata": { "name": "d" }, "image": { "image": "registry.k8s.io/e2e-test-images/busybox:1.29-2" }, "command": ["/no/such/program"], "log_path": "d.log", "linux": {} }
END
  local id
  id=$(crictl create "$p" /tmp/pods/m/d.json /tmp/pods/m/pod.json 2>/tmp/pods/error) || {
    # With CRI-O, which makes it immediately.
    grep -oE 'no such file or directory|executable file not found' /tmp/pods/error | head -n 1
    return
  }
  crictl start "$id" >/dev/null 2>&1 || echo 'not started'
  status inspect "$id" "s.state + ' ' + s.exitCode + ' ' + s.reason"
}

# cgroup_of ID: the container's cgroup of v2
cgroup_of() { echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(status inspect "$1" all.info.pid)/cgroup")"; }

# settings DIRECTORY: a line for each writable file of the cgroup, with its contents; without files that count, that are
# only written, or that repeat another one
settings() {
  find "$1" -maxdepth 1 -type f -perm /222 -printf '%f\n' | sort |
    grep -vE '\.(stat|events|current|peak|pressure|numa_stat|kill|reclaim|procs|threads|nice)(\.local)?$' |
    while read -r file; do echo "$file $(tr '\n' ' ' 2>&1 <"$1/$file")"; done
}

# changed WHAT DIRECTORY EXPECTED: the lines that WHAT has changed since the last call. Those of runc are not compared
# but printed in the note
changed() {
  local new
  settings "$2" >/tmp/pods/now
  new=$(comm -13 /tmp/pods/then /tmp/pods/now | sed 's/ *$//' | paste -sd ,)
  mv /tmp/pods/now /tmp/pods/then
  if [ "$RUNTIME" != runt ]; then
    [ "$new" = "$3" ] || echo "$1 $new" >>"$NOTE.$RUNTIME"
    new=$3
  fi
  echo "$1:${new:+ $new}"
}

scenario_pod_update_keeps_settings() {
  local p c cgroup unified='"memory.high": "50331648", "pids.max": "77"'
  [ -e /sys/fs/cgroup/cgroup.controllers ] || {
    echo 'the limits of the CRI that are written as they are need cgroup v2'
    return 77
  }
  rm -f "$NOTE.$RUNTIME"
  p=$(pod n)
  # As kubelet does: memory.oom.group for every container.
  cgroup=/sys/fs/cgroup$(sed -n "s/^0:://p" "/proc/$(status inspectp "$p" all.info.pid)/cgroup")
  for setting in memory.oom.group=1 memory.zswap.max=8388608 memory.zswap.writeback=0 memory.swap.max=1048576; do
    [ ! -e "$cgroup/${setting%=*}" ] || unified+=", \"${setting%=*}\": \"${setting#*=}\""
  done
  c=$(container "$p" n c 'sleep 1000' "{\"resources\": {\"memory_limit_in_bytes\": 67108864, \"cpu_shares\": 512, \"cpu_quota\": 12345, \"cpu_period\": 50000,
    \"unified\": {$unified}}}")
  cgroup=$(cgroup_of "$c")
  # A value of another program must also stay.
  echo 2097152 >"$cgroup/memory.low"
  settings "$cgroup" >/tmp/pods/then
  grep -E '^(cpu\.max|memory\.(high|low|max|oom\.group|swap\.max|zswap\.max|zswap\.writeback)|pids\.max) ' /tmp/pods/then
  crictl update --cpu-quota 23456 "$c" 2>/dev/null | grep -v "$c" || true
  changed 'a quota' "$cgroup" 'cpu.max 23456 50000'
  crictl update --memory 134217728 "$c" 2>/dev/null | grep -v "$c" || true
  changed 'memory' "$cgroup" 'memory.max 134217728'
  crictl update --cpu-share 1024 "$c" 2>/dev/null | grep -v "$c" || true
  changed 'shares' "$cgroup" 'cpu.weight 100'
  if [ "$DRIVER" = systemd ]; then
    systemctl daemon-reload
    changed 'daemon-reload' "$cgroup" ''
    systemctl daemon-reexec
    eventually systemctl list-units
    changed 'daemon-reexec' "$cgroup" ''
  fi
  # Values that the reference changed without a request.
  [ "$RUNTIME" != runt ] || [ ! -s "$NOTE.$REFERENCE" ] || echo "$REFERENCE: $(paste -sd ';' "$NOTE.$REFERENCE")" >"$NOTE"
}
