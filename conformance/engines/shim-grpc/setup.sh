# The scenarios of shim with io.containerd.runt-grpc.v1, over gRPC (docs/shim.md). The shim of runc, beside it, only
# speaks ttrpc.
# shellcheck disable=SC2034 # read by shim
transport=-grpc
# shellcheck source=/dev/null
. "$here/shim/setup.sh"
# Each of these shims uses 70 MB.
[ "${MANY:-200}" -le 30 ] || MANY=30

eval "$(declare -f setup | sed '1s/setup/setup_shim/')"
setup() {
  # The path where make install puts the server for Node.js, for a program that is copied to /usr/local/bin.
  mkdir -p /usr/local/lib/node_modules/runt-oci
  ln -sfn "$(readlink -f "$here/../../dist")" /usr/local/lib/node_modules/runt-oci/dist
  setup_shim
}

# The reason why the scenarios cannot run here, if there is one.
unsupported() {
  case $(containerd --version) in
    *' 1.6.'*) echo 'containerd 1.6 speaks ttrpc alone' ;;
  esac
}
