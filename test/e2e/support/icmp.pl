# ICMP by hand, with raw sockets:
#   icmp.pl listen 4|6              print "type N from A" for each message that reaches this host's sockets
#   icmp.pl watch 6                 the same for what arrives on the wire, also what is meant for others
#   icmp.pl send 4|6 ADDRESS TYPE   send one message of that type, code 0
use strict;
use warnings;
use Socket qw(AF_INET AF_INET6 SOCK_RAW inet_pton inet_ntop pack_sockaddr_in pack_sockaddr_in6
  unpack_sockaddr_in unpack_sockaddr_in6);

my ($job, $version, $address, $type) = @ARGV;
$| = 1;

if ($job eq 'watch') {
  my ($AF_PACKET, $SOCK_DGRAM, $IPV6, $HOP_BY_HOP, $ICMPV6) = (17, 2, 0x86dd, 0, 58);
  socket(my $wire, $AF_PACKET, $SOCK_DGRAM, unpack('S', pack('n', $IPV6))) or die "socket: $!";
  print "listening\n";
  while (defined(recv($wire, my $packet, 65535, 0))) {
    my ($next, $offset) = (unpack('x6 C', $packet), 40);
    # Multicast listener messages carry a router alert in a hop-by-hop header.
    ($next, $offset) = (unpack("x$offset C", $packet), $offset + 8) if $next == $HOP_BY_HOP;
    next if $next != $ICMPV6;
    printf "type %d from %s\n", unpack("x$offset C", $packet), inet_ntop(AF_INET6, substr($packet, 8, 16));
  }
  exit;
}

my $family = $version == 6 ? AF_INET6 : AF_INET;
socket(my $socket, $family, SOCK_RAW, $version == 6 ? 58 : 1) or die "socket: $!";

if ($job eq 'listen') {
  print "listening\n";
  while (defined(my $from = recv($socket, my $message, 65535, 0))) {
    # IPv4 raw sockets are handed the IP header too.
    my $offset = $version == 6 ? 0 : (unpack('C', $message) & 15) * 4;
    my (undef, $ip) = $version == 6 ? unpack_sockaddr_in6($from) : unpack_sockaddr_in($from);
    printf "type %d from %s\n", unpack("x$offset C", $message), inet_ntop($family, $ip);
  }
} else {
  my $body = pack('n n', $$ & 0xffff, 1) . pack('N3', 0, 0, 0);
  my $message = pack('C C n', $type, 0, 0) . $body;
  if ($version == 4) {
    my $sum = 0;
    $sum += $_ for unpack('n*', $message);
    $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
    $message = pack('C C n', $type, 0, ~$sum & 0xffff) . $body;
  }
  my $packed = inet_pton($family, $address);
  my $to = $version == 6 ? pack_sockaddr_in6(0, $packed) : pack_sockaddr_in(0, $packed);
  send($socket, $message, 0, $to) or die "send: $!";
}
