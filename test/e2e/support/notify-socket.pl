# A service manager's end of sd_notify(3): prints each datagram of a unix socket, line by line.
use strict;
use warnings;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);

$| = 1;
my ($path) = @ARGV;
my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path) or die "$path: $!\n";
print "listening\n";
while (defined $socket->recv(my $text, 4096)) {
  print $text;
}
