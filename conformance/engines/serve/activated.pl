#!/usr/bin/perl
# What systemd does with a socket unit and a service that is always started again: activated.pl SOCKET COMMAND…
#
# It listens at SOCKET, and starts COMMAND with the socket as descriptor 3 and LISTEN_FDS, again whenever it has ended.
# The pid of the running COMMAND is in SOCKET.pid.
use strict;
use warnings;
use POSIX ();
use Socket;

my ($path, @command) = @ARGV;
umask 0177;
unlink $path;
socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
bind($socket, pack_sockaddr_un($path)) or die "bind $path: $!";
listen($socket, 4096) or die "listen: $!";
$SIG{TERM} = sub { unlink $path; exit 0 };
while (1) {
  my $pid = fork() // die "fork: $!";
  if ($pid == 0) {
    POSIX::dup2(fileno($socket), 3) // die "dup2: $!";
    # The descriptor is not closed at exec.
    fcntl($socket, 2, 0) if fileno($socket) == 3;
    umask 0022;
    @ENV{'LISTEN_FDS', 'LISTEN_PID'} = (1, $$);
    exec { $command[0] } @command or POSIX::_exit(127);
  }
  open(my $file, '>', "$path.new") or die "$path.new: $!";
  print {$file} $pid;
  close($file);
  rename("$path.new", "$path.pid") or die "$path.pid: $!";
  $SIG{TERM} = sub { kill 'TERM', $pid; unlink $path; exit 0 };
  waitpid($pid, 0);
  # As RestartSec does.
  select(undef, undef, undef, 0.1);
}
