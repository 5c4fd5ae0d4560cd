# Flows of SCTP and ICMP by hand, with raw sockets, for kernels that have no SCTP
# and because no ping answers unasked. For each line on stdin
#   sctp 4|6 ADDRESS OWN-PORT PEER-PORT CHUNK NUMBER
#   icmp 4|6 ADDRESS IDENTIFIER TYPE NUMBER
# sends one packet, and prints such a line, without the address, for each that comes. SCTP's handshake and heartbeats
# are answered here, by either side; echo requests are answered by the kernel.
use strict;
use warnings;
use Socket qw(AF_INET AF_INET6 SOCK_RAW inet_pton pack_sockaddr_in pack_sockaddr_in6);

my ($INIT, $INIT_ACK, $HEARTBEAT, $HEARTBEAT_ACK, $COOKIE_ECHO, $COOKIE_ACK) = (1, 2, 4, 5, 10, 11);
my %ANSWER = ($INIT, $INIT_ACK, $INIT_ACK, $COOKIE_ECHO, $COOKIE_ECHO, $COOKIE_ACK, $HEARTBEAT, $HEARTBEAT_ACK);
my %ICMP = (4, 1, 6, 58);
$| = 1;

my @crc = map {
  my $c = $_;
  $c = $c & 1 ? ($c >> 1) ^ 0x82f63b78 : $c >> 1 for 1 .. 8;
  $c;
} 0 .. 255;

sub crc32c {
  my $c = 0xffffffff;
  $c = ($c >> 8) ^ $crc[($c ^ $_) & 255] for unpack('C*', $_[0]);
  return $c ^ 0xffffffff;
}

# One chunk; each side's tag is its port. The number travels in heartbeats and cookies.
sub sctp {
  my ($from, $to, $type, $number) = @_;
  my $value =
      $type == $INIT || $type == $INIT_ACK ? pack('N N n n N', $from, 65536, 1, 1, 1)
    : $type == $HEARTBEAT || $type == $HEARTBEAT_ACK ? pack('n n N', 1, 8, $number)
    : $type == $COOKIE_ECHO ? pack('N', $number) : '';
  # The cookie is the least that an INIT ACK must carry.
  $value .= pack('n n N', 7, 8, $number) if $type == $INIT_ACK;
  my $head = pack('n n N', $from, $to, $type == $INIT ? 0 : $to);
  my $chunk = pack('C C n', $type, 0, 4 + length $value) . $value;
  return $head . pack('V', crc32c($head . pack('N', 0) . $chunk)) . $chunk;
}

sub icmp {
  my ($version, $identifier, $type, $number) = @_;
  my $packet = pack('C C n n n', $type, 0, 0, $identifier, $number);
  # The kernel fills in the checksum of ICMPv6.
  return $packet if $version == 6;
  my $sum = 0;
  $sum += $_ for unpack('n*', $packet);
  $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
  return pack('C C n n n', $type, 0, ~$sum & 0xffff, $identifier, $number);
}

my %socket;
for my $version (4, 6) {
  my $family = $version == 6 ? AF_INET6 : AF_INET;
  socket($socket{"sctp $version"}, $family, SOCK_RAW, 132) or die "socket: $!";
  socket($socket{"icmp $version"}, $family, SOCK_RAW, $ICMP{$version}) or die "socket: $!";
}
my $input = '';
print "listening\n";

while (1) {
  my $bits = '';
  vec($bits, fileno $_, 1) = 1 for \*STDIN, values %socket;
  select($bits, undef, undef, undef);
  if (vec($bits, fileno STDIN, 1)) {
    sysread(STDIN, $input, 65536, length $input) or exit;
    while ($input =~ s/^(.*)\n//) {
      my ($protocol, $version, $address, @fields) = split ' ', $1;
      my $packed = inet_pton($version == 6 ? AF_INET6 : AF_INET, $address);
      my $peer = $version == 6 ? pack_sockaddr_in6(0, $packed) : pack_sockaddr_in(0, $packed);
      my $packet = $protocol eq 'sctp' ? sctp(@fields) : icmp($version, @fields);
      send($socket{"$protocol $version"}, $packet, 0, $peer);
    }
  }
  for my $kind (keys %socket) {
    next unless vec($bits, fileno $socket{$kind}, 1);
    my $peer = recv($socket{$kind}, my $packet, 65535, 0);
    next unless defined $peer;
    # IPv4 raw sockets are handed the IP header too.
    $packet = substr($packet, (unpack('C', $packet) & 15) * 4) if $kind =~ /4/;
    if ($kind =~ /icmp/) {
      next if length($packet) < 8;
      my ($type, $identifier, $number) = unpack('C x3 n n', $packet);
      print "$kind $identifier $type $number\n";
      next;
    }
    next if length($packet) < 16;
    my ($from, $to, $type) = unpack('n n x8 C', $packet);
    my $at = $type == $COOKIE_ECHO ? 16 : $type == $INIT_ACK ? 36 : $type == $COOKIE_ACK ? undef : 20;
    my $number = defined $at && $type != $INIT && length($packet) >= $at + 4 ? unpack("x$at N", $packet) : 0;
    print "$kind $to $from $type $number\n";
    send($socket{$kind}, sctp($to, $from, $ANSWER{$type}, $number), 0, $peer) if $ANSWER{$type};
  }
}
