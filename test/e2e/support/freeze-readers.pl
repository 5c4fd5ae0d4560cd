# Stops those threads of a process that wait for events or packets, but for its main thread, with ptrace(2) for as long as this
# program runs: queue readers that hang. The others, among them the main thread, go on.
use strict;
use warnings;
use POSIX qw(uname);

use constant { PTRACE_SEIZE => 0x4206, PTRACE_INTERRUPT => 0x4207, WALL => 0x40000000 };
my ($ptrace, @waits) = (uname())[4] eq 'aarch64' ? (117, 22, 243) : (101, 232, 281, 299);

$| = 1;
my ($pid) = @ARGV;
my %readers;
for (1 .. 20) {
  for my $folder (glob "/proc/$pid/task/*") {
    my ($thread) = $folder =~ /(\d+)$/;
    open my $file, '<', "$folder/syscall" or next;
    my ($call) = (<$file> // '') =~ /^(\d+) /;
    $readers{$thread} = 1 if $thread != $pid && defined $call && grep { $_ == $call } @waits;
  }
  select undef, undef, undef, 0.01;
}
die "no thread of $pid waits for events or packets\n" unless %readers;
for my $thread (keys %readers) {
  syscall($ptrace, PTRACE_SEIZE, $thread + 0, 0, 0) == 0 or die "seize $thread: $!\n";
  syscall($ptrace, PTRACE_INTERRUPT, $thread + 0, 0, 0) == 0 or die "interrupt $thread: $!\n";
}
print "frozen\n";
# Their deaths are ours to take note of, or the process would never be gone.
1 while waitpid(-1, WALL) > 0;
