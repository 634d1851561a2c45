# Update of containerd's task service, which ctr lacks: update.pl SOCKET CONTAINER RESOURCES
#
# RESOURCES is LinuxResources as JSON. One call over HTTP/2 with a header block that needs no tables. Exits with 0 if
# the response is a message, and with 1 if the call is refused: the reason is in the fields of the response, which are
# not read.
use strict;
use warnings;
use IO::Socket::UNIX;

my ($socket, $container, $resources) = @ARGV;
my $connection = IO::Socket::UNIX->new(Peer => $socket) or die "$socket: $!\n";

sub varint {
  my ($n) = @_;
  my $bytes = '';
  while ($n > 127) {
    $bytes .= chr($n & 127 | 128);
    $n >>= 7;
  }
  return $bytes . chr $n;
}

# A field of the protobuf message that is a string or a message.
sub field { my ($number, $value) = @_; return chr($number << 3 | 2) . varint(length $value) . $value }

sub frame {
  my ($type, $flags, $stream, $payload) = @_;
  return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload;
}

sub take {
  my ($length) = @_;
  my $data = '';
  while (length $data < $length) {
    read($connection, $data, $length - length $data, length $data) or exit 1;
  }
  return $data;
}

my ($DATA, $HEADERS, $SETTINGS) = (0, 1, 4);
my %fields = (
  ':method' => 'POST', ':scheme' => 'http', ':authority' => 'localhost', ':path' => '/containerd.services.tasks.v1.Tasks/Update',
  'content-type' => 'application/grpc', te => 'trailers', 'containerd-namespace' => 'default',
);
# Literal, neither indexed nor compressed (RFC 7541, 6.2.2); names that begin with a colon must come first, as the sort
# puts them.
my $head = join '', map { "\0" . chr(length) . $_ . chr(length $fields{$_}) . $fields{$_} } sort keys %fields;
my $any = field(1, 'types.containerd.io/opencontainers/runtime-spec/1/LinuxResources') . field(2, $resources);
my $message = field(1, $container) . field(2, $any);
print $connection "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame($SETTINGS, 0, 0, ''), frame($HEADERS, 4, 1, $head),
  frame($DATA, 1, 1, "\0" . pack('N', length $message) . $message);
$connection->flush;
for (;;) {
  my ($high, $low, $type, $flags) = unpack 'CnCC', take(9);
  take($high << 16 | $low);
  exit 0 if $type == $DATA;
  exit 1 if $type == $HEADERS && $flags & 1;
  print $connection frame($SETTINGS, 1, 0, '') if $type == $SETTINGS && !($flags & 1);
  $connection->flush;
}
