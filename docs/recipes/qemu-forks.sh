#!/bin/sh
# Forks of a QEMU snapshot for `pnpm check guest`, by sh and QEMU alone: QEMU's monitor and the guest's serial console are
# pipes. No agent is in the guest, only a shell on that console.
#
#   qemu-forks.sh initrd BUSYBOX       an initramfs with a static busybox and nothing else: $FORKS/initrd
#   qemu-forks.sh save KERNEL INITRD   boots it, waits until the guest prints a line that is $READY, saves it: $FORKS/state
#   qemu-forks.sh fork N               restores fork N in the foreground, until it is ended
#   qemu-forks.sh read N               32 octets that fork N draws, in hex
#   qemu-forks.sh end N                takes away what fork N leaves here
set -eu
forks=${FORKS:-forks}
ready=${READY:-shell}
# Nobody draws for so long, then one does: the kernel has reseeded at that draw, and will not for as long again (up to 60 s).
idle=${IDLE:-61}
return=$(printf '\r')

fail() {
  printf 'qemu-forks.sh: %s\n' "$1" >&2
  exit 1
}

# machine PIPES WORD…: the same options for the boot and for each fork; only how it begins differs.
machine() {
  pipes=$1
  shift
  exec qemu-system-x86_64 -accel "${ACCEL:-tcg}" -machine pc -cpu "${CPU:-max}" -m 256 \
    -nodefaults -no-user-config -no-reboot -display none \
    -chardev pipe,id=monitor,path="$pipes.monitor" -mon chardev=monitor,mode=control \
    -chardev pipe,id=console,path="$pipes.console" -serial chardev:console "$@"
}

pipes() { for end in monitor.in monitor.out console.in console.out; do printf '%s ' "$1.$end"; done; }

# Open for reading and writing, so that neither waits for the other side.
attach() {
  [ -p "$1.console.out" ] || fail "there is no $1 yet"
  exec 3<>"$1.monitor.in" 4<>"$1.monitor.out" 5<>"$1.console.in" 6<>"$1.console.out"
}

# monitor COMMAND: asks QEMU; its answer is in $line
monitor() {
  printf '%s\n' "$1" >&3
  while read -r line <&4; do
    case $line in *'"return"'* | *'"error"'*) return 0 ;; gone) fail "QEMU has ended; of its guest: $forks/boot.log" ;; esac
  done
}

# until_line LINE: what the guest prints before it
until_line() {
  while read -r line <&6; do
    line=${line%"$return"}
    case $line in "$1") return 0 ;; gone) fail "QEMU has ended; of its guest: $forks/boot.log" ;; *) printf '%s\n' "$line" ;; esac
  done
}

# guest COMMAND: runs it in the guest's shell
guest() {
  printf '%s; echo end-of-it\n' "$1" >&5
  until_line end-of-it
}

draw='head -c 32 /dev/urandom | od -An -v -tx1'

case "${1:-} $#" in
'initrd 2')
  mkdir -p "$forks/root/bin" "$forks/root/dev" "$forks/root/proc"
  cp "$2" "$forks/root/bin/busybox"
  cat > "$forks/root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
stty -F /dev/ttyS0 -echo
echo shell > /dev/ttyS0
exec sh /dev/ttyS0 > /dev/ttyS0 2>&1
INIT
  chmod 755 "$forks/root/init" "$forks/root/bin/busybox"
  (cd "$forks/root" && find . | "$2" cpio -o -H newc 2> /dev/null) > "$forks/initrd"
  rm -r "$forks/root"
  ;;
'save 3')
  mkdir -p "$forks"
  rm -f $(pipes "$forks/saved") "$forks/state"
  mkfifo -m 600 $(pipes "$forks/saved")
  attach "$forks/saved"
  (
    machine "$forks/saved" -kernel "$2" -initrd "$3" -append 'console=ttyS0 quiet panic=-1 no_timer_check' &
    trap 'kill $!' TERM
    wait || true
    echo gone >&4
    echo gone >&6
  ) &
  trap "kill $! 2> /dev/null || true" EXIT
  until_line "$ready" > "$forks/boot.log"
  guest "sleep $idle"
  guest "$draw" > "$forks/drawn-before"
  monitor '{"execute":"qmp_capabilities"}'
  monitor '{"execute":"migrate","arguments":{"uri":"exec:cat > '"'$forks/state'"'"}}'
  until case $line in *'"completed"'*) true ;; *'"failed"'* | *'"error"'*) fail "$line" ;; *) false ;; esac do
    sleep 0.2
    monitor '{"execute":"query-migrate"}'
  done
  monitor '{"execute":"quit"}'
  wait
  rm -f $(pipes "$forks/saved")
  ;;
'fork 2')
  rm -f $(pipes "$forks/$2")
  mkfifo -m 600 $(pipes "$forks/$2")
  machine "$forks/$2" -incoming "exec:cat '$forks/state'"
  ;;
'read 2')
  attach "$forks/$2"
  monitor '{"execute":"qmp_capabilities"}'
  line=''
  until case $line in *'"running": true'*) true ;; *) false ;; esac do
    monitor '{"execute":"query-status"}'
  done
  guest "$draw"
  ;;
'end 2') rm -f $(pipes "$forks/$2") ;;
*)
  sed -n '/^#  /s/^#  *//p' "$0" >&2
  exit 2
  ;;
esac
