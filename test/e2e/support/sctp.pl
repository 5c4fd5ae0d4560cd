# SCTP by hand, with raw sockets, for kernels that have none: the first two
# messages of an association, which is what a firewall decides about.
#   sctp.pl PORT...      answer each INIT to one of the ports with INIT ACK
# and for each line "ID 4|6 ADDRESS PORT MILLISECONDS" on stdin: send an INIT,
# print "ID answered" when its INIT ACK comes and "ID timeout" when it does not.
use strict;
use warnings;
use Socket qw(AF_INET AF_INET6 SOCK_RAW inet_pton pack_sockaddr_in pack_sockaddr_in6);
use Time::HiRes qw(time);

my ($SCTP, $INIT, $INIT_ACK) = (132, 1, 2);
my %serves = map { $_ => 1 } @ARGV;
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

# A message of one chunk; `tag` is the receiver's, `own` the sender's.
sub message {
  my ($from, $to, $tag, $type, $own, $more) = @_;
  my $chunk = pack('C C n N N n n N', $type, 0, 20 + length $more, $own, 65536, 1, 1, 1) . $more;
  my $head = pack('n n N', $from, $to, $tag);
  return $head . pack('V', crc32c($head . pack('N', 0) . $chunk)) . $chunk;
}

my (%socket, %waiting);
for my $version (4, 6) {
  socket($socket{$version}, $version == 6 ? AF_INET6 : AF_INET, SOCK_RAW, $SCTP) or die "socket: $!";
}
my $port = 20000;
my $input = '';
print "listening\n";

while (1) {
  my $bits = '';
  vec($bits, fileno $_, 1) = 1 for \*STDIN, values %socket;
  select($bits, undef, undef, %waiting ? 0.01 : undef);
  if (vec($bits, fileno STDIN, 1)) {
    sysread(STDIN, $input, 65536, length $input) or exit;
    while ($input =~ s/^(.*)\n//) {
      my ($id, $version, $address, $to, $patience) = split ' ', $1;
      $port = $port == 60000 ? 20000 : $port + 1;
      my $packed = inet_pton($version == 6 ? AF_INET6 : AF_INET, $address);
      my $peer = $version == 6 ? pack_sockaddr_in6(0, $packed) : pack_sockaddr_in(0, $packed);
      $waiting{$port} = [$id, time() + $patience / 1000];
      send($socket{$version}, message($port, $to, 0, $INIT, $port, ''), 0, $peer);
    }
  }
  for my $version (4, 6) {
    next unless vec($bits, fileno $socket{$version}, 1);
    my $peer = recv($socket{$version}, my $packet, 65535, 0);
    next unless defined $peer;
    # IPv4 raw sockets are handed the IP header too.
    my $offset = $version == 6 ? 0 : (unpack('C', $packet) & 15) * 4;
    next if length($packet) < $offset + 20;
    my ($from, $to, $tag, $type, $peers) = unpack("x$offset n n N x4 C x3 N", $packet);
    if ($type == $INIT && $serves{$to}) {
      # The cookie is the least that an INIT ACK must carry.
      send($socket{$version}, message($to, $from, $peers, $INIT_ACK, 1, pack('n n N', 7, 8, 1)), 0, $peer);
    } elsif ($type == $INIT_ACK && $waiting{$to} && $tag == $to) {
      print "$waiting{$to}[0] answered\n";
      delete $waiting{$to};
    }
  }
  for (keys %waiting) {
    next if $waiting{$_}[1] > time();
    print "$waiting{$_}[0] timeout\n";
    delete $waiting{$_};
  }
}
