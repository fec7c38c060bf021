# What a guest that took over a Firecracker with a tap would try besides ../confinement/compromised.pl. One line for
# each attempt: its name, a tab, and `done` or the errno's name. Nothing that it does harms.
use strict;
use Socket;
use Errno;
my ($own, $other, $sibling, $pid) = @ARGV;
$| = 1;
my %name = map { Errno->can($_)->() => $_ } grep { Errno->can($_) } qw(EPERM EACCES ENOENT ENODEV EBUSY EINVAL ESRCH EBADF);
sub attempt { my ($what, $act) = @_; $! = 0; my $ok = $act->(); my $e = $! + 0; print "$what\t", ($ok ? 'done' : ($name{$e} // "errno $e")), "\n"; }
sub tap { my ($ifname, $flags) = @_; my $f; return 0 unless sysopen($f, '/dev/net/tun', 2); ioctl($f, 0x400454ca, pack('Z16 S x22', $ifname, $flags)) ? $f : 0; }
sub reach { my $path = shift; my $s; socket($s, PF_UNIX, SOCK_STREAM, 0) && connect($s, pack_sockaddr_un($path)); }

attempt('open its own tap', sub { tap($own, 0x5002) });
attempt('open a tap of another VM', sub { tap($other, 0x5002) });
attempt('make a tap', sub { tap('made', 0x1002) });
attempt('take its own tap down', sub { my $s; socket($s, PF_UNIX, SOCK_DGRAM, 0) && ioctl($s, 0x8914, pack('Z16 S x22', $own, 0)) });
attempt('change the MTU of a link', sub { my $s; socket($s, PF_UNIX, SOCK_DGRAM, 0) && ioctl($s, 0x8922, pack('Z16 i x20', $own, 1400)) });
attempt('make a packet socket', sub { socket(my $s, 17, SOCK_RAW, 0) });
attempt('make a netlink socket', sub { socket(my $s, 16, SOCK_RAW, 0) });
attempt('make an IPv4 socket', sub { socket(my $s, PF_INET, SOCK_DGRAM, 0) });
attempt('make a vsock socket', sub { socket(my $s, 40, SOCK_STREAM, 0) });
attempt('enter the network of its parent', sub { my $f; open($f, '<', "/proc/$pid/ns/net") && syscall(308, fileno($f), 0x40000000) == 0 });
attempt('list the folder of another VM', sub { opendir(my $d, $sibling) });
attempt('speak to the API of another VM', sub { reach("$sibling/api") });
attempt('speak to the guest of another VM', sub { reach("$sibling/vsock") });
attempt('remove the API of another VM', sub { unlink("$sibling/api") });
attempt('make a socket in the folder of another VM', sub { my $s; socket($s, PF_UNIX, SOCK_STREAM, 0) && bind($s, pack_sockaddr_un("$sibling/made")) });
attempt('make a socket in its own folder', sub { my $s; socket($s, PF_UNIX, SOCK_STREAM, 0) && bind($s, pack_sockaddr_un('made')) });
