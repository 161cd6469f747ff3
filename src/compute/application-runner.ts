/** What runs in the guest: the drive's own programs and texts. */

/**
 * Installs what is on the drive, in its order, each application in a folder of its own under GOLDLEAF_APPS (default
 * /var/lib/goldleaf-apps). Plain POSIX sh: it runs wherever a boot does. What is installed is left alone; another
 * version is updated (its own update command, else remove and install); what is no longer on the drive is removed. A
 * command that a reboot interrupted is run again only where the version says so (scriptBehaviorAfterReboot).
 */
export const installScript = `#!/bin/sh
# Written by Goldleaf. Run it at every boot: it does what is left to do.
drive=$(cd "$(dirname "$0")" && pwd)
home=\${GOLDLEAF_APPS:-/var/lib/goldleaf-apps}
failed=0
mkdir -p "$home"

info() { sed -n "$2p" "$drive/$1-info"; }
say() { echo "goldleaf-apps: $*"; }

remove_installed() {
  old=$(cat "$1/current")
  if [ -f "$1/$old/.remove" ]; then ( cd "$1/$old" && sh ./.remove ) || return 1; fi
  rm -f "$1/current"
}

install_one() {
  n=$1; name=$(info $n 1); version=$(info $n 2)
  app="$home/$name"; folder="$app/$version"; old=
  if [ -f "$app/current" ]; then old=$(cat "$app/current"); fi
  if [ "$old" = "$version" ]; then return 0; fi
  if [ -f "$folder/.started" ] && [ "$(info $n 5)" != Rerun ]; then
    say "$name $version was begun before and did not end; it is not run again"
    return 1
  fi
  mkdir -p "$folder" || return 1
  cp "$drive/$n-package" "$folder/$(info $n 3)" || return 1
  if [ -f "$drive/$n-config" ]; then cp "$drive/$n-config" "$folder/$(info $n 4)" || return 1; fi
  if [ -f "$drive/$n-remove" ]; then cp "$drive/$n-remove" "$folder/.remove" || return 1; fi
  action=install
  if [ -n "$old" ]; then
    if [ -f "$drive/$n-update" ]; then action=update
    else remove_installed "$app" || return 1
    fi
  fi
  : >"$folder/.started"; sync
  if [ -f "$drive/$n-$action" ]; then ( cd "$folder" && sh "$drive/$n-$action" ) || return 1; fi
  echo "$version" >"$app/current"; sync
  say "$name $version: $action done"
}

wanted=' '
for n in $(cat "$drive/list"); do
  wanted="$wanted$(info $n 1) "
  if ! install_one $n; then say "$(info $n 1) $(info $n 2) failed"; failed=1; fi
done
for app in "$home"/*; do
  if [ ! -f "$app/current" ]; then continue; fi
  case "$wanted" in *" $(basename "$app") "*) continue ;; esac
  if remove_installed "$app"; then say "$(basename "$app") removed"; else failed=1; fi
done
exit $failed
`

/**
 * What cloud-init writes into a generalised guest (vendor data): at every boot the drive's program is run, where there is
 * a drive.
 */
export const perBootScript = {
  path: '/var/lib/cloud/scripts/per-boot/goldleaf-apps.sh',
  permissions: '0755',
  content: `#!/bin/sh
drive=/dev/disk/by-id/virtio-goldleaf-apps
if [ ! -e $drive ]; then exit 0; fi
mkdir -p /run/goldleaf-apps
mount -o ro $drive /run/goldleaf-apps || exit 1
sh /run/goldleaf-apps/install.sh
code=$?
umount /run/goldleaf-apps
exit $code
`,
}
