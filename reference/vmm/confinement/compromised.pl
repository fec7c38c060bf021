# What a guest that took over its VMM would try. One line for each attempt: its name, a tab, and `done` or the errno's
# name. Nothing that it does harms: signals are 0, files are the test's own.
use strict;
use Socket;
use Errno;
my ($folder, $parent, $sibling, $sealed) = @ARGV;
$| = 1;
my %name = map { Errno->can($_)->() => $_ } grep { Errno->can($_) } qw(EPERM EACCES ENOENT ENOSYS ESRCH EINVAL EBADF EROFS EBUSY ENODEV ENXIO EIO ETXTBSY EAFNOSUPPORT);
sub attempt { my ($what, $act) = @_; $! = 0; my $ok = $act->(); my $e = $! + 0; print "$what\t", ($ok ? 'done' : ($name{$e} // "errno $e")), "\n"; }
sub call { my $result = syscall(shift @_, @_); return $result != -1; }
sub readable { my $path = shift; sub { my $f; open($f, '<', $path) && defined(sysread($f, my $octet, 1)); } }

attempt('read a file of everybody', readable("$folder/secret"));
attempt('read /etc/passwd', readable('/etc/passwd'));
attempt('list /', sub { opendir(my $d, '/') });
attempt('list its own /proc', sub { opendir(my $d, '/proc/self') });
attempt('read the environment of its parent', readable("/proc/$parent/environ"));
attempt('open the memory of its parent', sub { sysopen(my $f, "/proc/$parent/mem", 2) });
attempt('open the memory of a sibling', sub { sysopen(my $f, "/proc/$sibling/mem", 2) });
attempt('list the descriptors of its parent', sub { opendir(my $d, "/proc/$parent/fd") });
attempt('open /dev/net/tun', sub { sysopen(my $f, '/dev/net/tun', 2) });
attempt('write to a file of everybody', sub { sysopen(my $f, "$folder/open", 1) });
attempt('make a file', sub { sysopen(my $f, "$folder/new", 0101, 0600) });
attempt('make a folder', sub { mkdir("$folder/new-folder") });
attempt('remove a file', sub { unlink("$folder/doomed") });
attempt('make a link', sub { symlink('/etc/passwd', "$folder/link") });
attempt('run a program', sub { my $pid = fork(); if (!$pid) { exec { '/bin/true' } 'true' or exit(1 + ($! == 13)); } waitpid($pid, 0); $! = $? >> 8 == 2 ? 13 : 22; $? == 0 });

attempt('make a TCP socket', sub { socket(my $s, PF_INET, SOCK_STREAM, 0) });
attempt('make a UDP socket', sub { socket(my $s, PF_INET, SOCK_DGRAM, 0) });
attempt('make a netlink socket', sub { socket(my $s, 16, SOCK_RAW, 0) });
attempt('make a packet socket', sub { socket(my $s, 17, SOCK_RAW, 0) });
attempt('connect to a socket of its parent', sub { my $s; socket($s, PF_UNIX, SOCK_STREAM, 0) && connect($s, pack_sockaddr_un("$folder/socket")) });
attempt('connect to an abstract socket of its parent', sub { my $s; socket($s, PF_UNIX, SOCK_STREAM, 0) && connect($s, pack_sockaddr_un("\0$folder")) });

attempt('signal its parent', sub { kill(0, $parent) });
attempt('signal a sibling', sub { kill(0, $sibling) });
attempt('signal the thread of its parent', sub { call(234, $parent + 0, $parent + 0, 0) });
attempt('signal the thread of a sibling', sub { call(234, $sibling + 0, $sibling + 0, 0) });
attempt('trace a sibling', sub { call(101, 0x4206, $sibling + 0, 0, 0) });
attempt('trace its parent', sub { call(101, 0x4206, $parent + 0, 0, 0) });
attempt('hold its parent', sub { call(434, $parent + 0, 0) });
my $octets = "\0" x 8; my $iov = pack('QQ', unpack('Q', pack('P', $octets)), 8);
attempt('read the memory of itself by pid', sub { call(310, $$ + 0, $iov, 1, $iov, 1, 0) });

attempt('mount', sub { my $n = 'none'; my $t = 'tmpfs'; call(165, $n, "$folder/mount", $t, 0, 0) });
attempt('be root', sub { call(105, 0) });
attempt('be another group', sub { call(106, 0) });
attempt('load a program into the kernel', sub { my $a = pack('LLLLx104', 1, 4, 8, 1); call(321, 0, $a, 120) });
attempt('have a ring of the kernel', sub { my $p = "\0" x 120; call(425, 4, $p) });
attempt('take page faults', sub { call(323, 0) });
attempt('keep a key', sub { my ($t, $d, $p) = ('user', 'probe', 'x'); call(248, $t, $d, $p, 1, -2) });
attempt('share memory with others', sub { call(29, 0, 4096, 0600) });

attempt('write to what is sealed', sub { my $f; open($f, '+<', "/proc/self/fd/$sealed") && syswrite($f, 'x') });
attempt('shorten what is sealed', sub { my $f; open($f, '+<', "/proc/self/fd/$sealed") && truncate($f, 0) });
# Afterwards it could do less.
attempt('have a user namespace', sub { call(272, 0x10000000) });
attempt('change its root', sub { my $r = $folder; call(161, $r) });
print "descriptors\t", join(',', grep { syscall(72, $_, 1, 0) != -1 } 0 .. 4095), "\n";
