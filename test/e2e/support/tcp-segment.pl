# One TCP segment by hand, and the flags of what comes back:
#   tcp-segment.pl ADDRESS PORT OWN-ADDRESS OWN-PORT FLAGS MILLISECONDS
# prints "flags N" for the first answer, "silence" when there is none.
use strict;
use warnings;
use Socket qw(AF_INET AF_INET6 SOCK_RAW inet_pton pack_sockaddr_in pack_sockaddr_in6);
use Time::HiRes qw(time);

my ($address, $port, $own, $own_port, $flags, $patience) = @ARGV;
my $six = $address =~ /:/;
my $family = $six ? AF_INET6 : AF_INET;
socket(my $socket, $family, SOCK_RAW, 6) or die "socket: $!";
my ($to, $from) = (inet_pton($family, $address), inet_pton($family, $own));

sub checksum {
  my $sum = 0;
  $sum += $_ for unpack('n*', $_[0]);
  $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
  return ~$sum & 0xffff;
}

sub segment {
  return pack('n n N N C C n n n', $own_port, $port, 1, 1, 0x50, $flags, 1024, $_[0], 0);
}

my $pseudo = $from . $to . ($six ? pack('N N', 20, 6) : pack('C C n', 0, 6, 20));
my $segment = segment(checksum($pseudo . segment(0)));
my $peer = $six ? pack_sockaddr_in6(0, $to) : pack_sockaddr_in(0, $to);
defined send($socket, $segment, 0, $peer) or die "send: $!";

my $deadline = time() + $patience / 1000;
while ((my $left = $deadline - time()) > 0) {
  my $bits = '';
  vec($bits, fileno $socket, 1) = 1;
  last unless select($bits, undef, undef, $left);
  defined recv($socket, my $packet, 65535, 0) or next;
  # IPv4 raw sockets are handed the IP header too.
  my $offset = $six ? 0 : (unpack('C', $packet) & 15) * 4;
  next if length($packet) < $offset + 20;
  my ($source, $destination, $answer) = unpack("x$offset n n x9 C", $packet);
  next unless $source == $port && $destination == $own_port;
  print "flags $answer\n";
  exit;
}
print "silence\n";
