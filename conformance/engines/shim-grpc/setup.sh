# The scenarios of shim with io.containerd.runt-grpc.v1, over gRPC (docs/shim.md). The shim of runc, beside it, only
# speaks ttrpc.
# shellcheck disable=SC2034 # read by shim
transport=-grpc
# shellcheck source=/dev/null
. "$here/shim/setup.sh"

# The reason why the scenarios cannot run here, if there is one.
unsupported() {
  case $(containerd --version) in
    *' 1.6.'*) echo 'containerd 1.6 speaks ttrpc alone' ;;
  esac
}
