# Packets of IP protocols without ports, with raw sockets:
#   raw-ip.pl PROTOCOL...  answer each question of these protocols
# and for each line "ID 4|6 ADDRESS PROTOCOL MILLISECONDS" on stdin: send a
# question, print "ID answered" when its answer comes and "ID timeout" when it
# does not.
use strict;
use warnings;
use Socket qw(AF_INET AF_INET6 SOCK_RAW inet_pton pack_sockaddr_in pack_sockaddr_in6);
use Time::HiRes qw(time);

$| = 1;
my (@sockets, %waiting);
for my $protocol (@ARGV) {
  for my $version (4, 6) {
    socket(my $socket, $version == 6 ? AF_INET6 : AF_INET, SOCK_RAW, $protocol) or die "socket: $!";
    push @sockets, { version => $version, protocol => $protocol, socket => $socket };
  }
}
my $input = '';
print "listening\n";

while (1) {
  my $bits = '';
  vec($bits, fileno $_, 1) = 1 for \*STDIN, map { $_->{socket} } @sockets;
  select($bits, undef, undef, %waiting ? 0.01 : undef);
  if (vec($bits, fileno STDIN, 1)) {
    sysread(STDIN, $input, 65536, length $input) or exit;
    while ($input =~ s/^(.*)\n//) {
      my ($id, $version, $address, $protocol, $patience) = split ' ', $1;
      my ($way) = grep { $_->{version} == $version && $_->{protocol} == $protocol } @sockets;
      my $packed = inet_pton($version == 6 ? AF_INET6 : AF_INET, $address);
      my $peer = $version == 6 ? pack_sockaddr_in6(0, $packed) : pack_sockaddr_in(0, $packed);
      $waiting{$id} = time() + $patience / 1000;
      # Refused by the own kernel is as lost as any other.
      send($way->{socket}, "question $id", 0, $peer);
    }
  }
  for my $way (@sockets) {
    next unless vec($bits, fileno $way->{socket}, 1);
    my $peer = recv($way->{socket}, my $packet, 65535, 0);
    next unless defined $peer;
    # IPv4 raw sockets are handed the IP header too.
    my $offset = $way->{version} == 6 ? 0 : (unpack('C', $packet) & 15) * 4;
    my $text = substr($packet, $offset);
    if ($text =~ /^question (\d+)/) {
      send($way->{socket}, "answer $1", 0, $peer);
    } elsif ($text =~ /^answer (\d+)/ && delete $waiting{$1}) {
      print "$1 answered\n";
    }
  }
  for (keys %waiting) {
    next if $waiting{$_} > time();
    print "$_ timeout\n";
    delete $waiting{$_};
  }
}
