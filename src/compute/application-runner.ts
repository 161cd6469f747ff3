/** What runs in the guest: the drive's own programs and texts. */

/**
 * Installs what is on the drive, in its order, each application in a folder of its own under GOLDLEAF_APPS (default
 * /var/lib/goldleaf-apps). Plain POSIX sh: it runs wherever a boot does; commands run by bash where there is one, as on
 * Azure. What is installed is left alone; another version is updated (its own update command, else remove and install);
 * what is no longer on the drive is removed first. After a failure, applications of a higher order are skipped. A command
 * that was begun and did not end well is run again only where the version says so (scriptBehaviorAfterReboot), or when the
 * application was off the list meanwhile. Each outcome is told to the server (curl or wget) at GOLDLEAF_REPORTS, which only
 * this machine's guest reaches; empty: nobody is told.
 */
export const installScript = `#!/bin/sh
# Written by Goldleaf. Run it at every boot: it does what is left to do, and reports how that ended.
drive=$(cd "$(dirname "$0")" && pwd)
home=\${GOLDLEAF_APPS:-/var/lib/goldleaf-apps}
reports=\${GOLDLEAF_REPORTS-http://169.254.169.254/metadata/goldleaf/applications}
shell=sh
if command -v bash >/dev/null 2>&1; then shell=bash; fi
failed=0
failed_order=
mkdir -p "$home"

info() { sed -n "$2p" "$drive/$1-info"; }
say() { echo "goldleaf-apps: $*"; }

post() {
  unset http_proxy HTTP_PROXY all_proxy ALL_PROXY
  if command -v curl >/dev/null 2>&1; then
    curl -sf -m 10 -o /dev/null -H Metadata:true --data-raw "$2" "$reports?$1"
  else
    timeout 10 wget -q -O /dev/null --header Metadata:true --post-data "$2" "$reports?$1"
  fi >/dev/null 2>&1
}

# report NAME VERSION ACTION EXIT [TEXT]: EXIT is a number, begun or skipped.
report() {
  if [ -z "$reports" ]; then return; fi
  for try in 1 2 3 4 5; do
    if ( post "name=$1&version=$2&action=$3&exit=$4" "$5" ); then return; fi
    sleep 1
  done
  say "nobody takes reports at $reports"
  reports=
}

# run FOLDER SCRIPT: what it writes stays in the folder, and goes to the console.
run() {
  ( cd "$1" && $shell "$2" ) >"$1/.stdout" 2>"$1/.stderr"
  code=$?
  cat "$1/.stdout" "$1/.stderr"
  return $code
}

output() {
  if [ -s "$1/.stderr" ]; then tail -c 1500 "$1/.stderr"; else tail -c 1500 "$1/.stdout"; fi
}

# act NAME VERSION ACTION FOLDER SCRIPT
act() {
  report "$1" "$2" "$3" begun
  if [ ! -f "$5" ] || run "$4" "$5"; then return 0; fi
  report "$1" "$2" "$3" $code "$(output "$4")"
  say "$1 $2: $3 failed with exit code $code"
  return 1
}

# remove_installed NAME
remove_installed() {
  old=$(cat "$home/$1/current")
  act "$1" "$old" remove "$home/$1/$old" "$home/$1/$old/.remove" || return 1
  rm -f "$home/$1/current"
}

# give_up TEXT: of the application that install_one is at.
give_up() {
  report "$name" "$version" install 1 "$1"
  say "$name $version: $1"
  return 1
}

copy() {
  mkdir -p "$folder" && cp "$drive/$n-package" "$folder/$(info $n 3)" || return 1
  if [ -f "$drive/$n-config" ]; then cp "$drive/$n-config" "$folder/$(info $n 4)" || return 1; fi
  for action in install update remove; do
    rm -f "$folder/.$action"
    if [ -f "$drive/$n-$action" ]; then cp "$drive/$n-$action" "$folder/.$action" || return 1; fi
  done
}

install_one() {
  app="$home/$name"; folder="$app/$version"; old=
  if [ -f "$app/current" ]; then old=$(cat "$app/current"); fi
  if [ "$old" = "$version" ]; then
    report "$name" "$version" install 0
    return 0
  fi
  if [ -f "$folder/.started" ] && [ "$(info $n 5)" != Rerun ]; then
    give_up "It was begun before and did not end well; it is not run again. $(output "$folder")"
    return 1
  fi
  copy || { give_up "Its files could not be copied to $folder."; return 1; }
  action=install
  if [ -n "$old" ]; then
    if [ -f "$folder/.update" ]; then action=update
    else remove_installed "$name" || { give_up "The removal of $old failed."; return 1; }
    fi
  fi
  : >"$folder/.started"; sync
  act "$name" "$version" $action "$folder" "$folder/.$action" || return 1
  echo "$version" >"$app/current"
  rm -f "$folder/.started"; sync
  report "$name" "$version" $action 0
  say "$name $version: $action done"
}

# skips ORDER: whether one of a lower order failed.
skips() { [ -n "$1" ] && [ -n "$failed_order" ] && [ "$1" -gt "$failed_order" ]; }

wanted=' '
for n in $(cat "$drive/list"); do wanted="$wanted$(info $n 1) "; done
for app in "$home"/*; do
  name=$(basename "$app")
  case "$wanted" in *" $name "*) continue ;; esac
  rm -f "$app"/*/.started
  if [ ! -f "$app/current" ]; then continue; fi
  if remove_installed "$name"; then
    report "$name" "$old" remove 0
    say "$name removed"
  else failed=1
  fi
done
for n in $(cat "$drive/list"); do
  name=$(info $n 1); version=$(info $n 2); order=$(info $n 6)
  if skips "$order"; then
    report "$name" "$version" install skipped
    say "$name $version: skipped, lower order operation failed"
  elif ! install_one; then
    failed=1
    if [ -n "$order" ] && [ -z "$failed_order" ]; then failed_order=$order; fi
  fi
done
exit $failed
`

/**
 * What cloud-init writes into a generalised guest (vendor data): the drive's program is run at every boot, and whenever
 * another drive takes its place while the guest runs.
 */
export const perBootScript = {
  path: '/var/lib/cloud/scripts/per-boot/goldleaf-apps.sh',
  permissions: '0755',
  content: `#!/bin/sh
drive=/dev/disk/by-id/virtio-goldleaf-apps
mark() { head -c 512 $drive 2>/dev/null | md5sum; }
run_drive() {
  [ -e $drive ] || return 0
  mkdir -p /run/goldleaf-apps
  mount -o ro $drive /run/goldleaf-apps || return 1
  sh /run/goldleaf-apps/install.sh
  code=$?
  umount /run/goldleaf-apps
  return $code
}
follow() {
  while sleep 5; do
    now=$(mark)
    if [ "$now" != "$seen" ]; then seen=$now; run_drive; fi
  done
}
seen=$(mark)
run_drive
code=$?
follow </dev/null >/dev/console 2>&1 &
exit $code
`,
}
