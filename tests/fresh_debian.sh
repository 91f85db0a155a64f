#!/usr/bin/env bash
# Walks the README's way to a Postfix server on a fresh Debian 12, and proves where it leads:
# the README's own commands are run, and what "check" prints is done as it is printed.
# By hand, as root, some minutes:
#
#   tests/fresh_debian.sh [FOLDER]     # what was downloaded is kept there; default: nothing is kept
#
# It needs debootstrap, and a Python whose pip finds the packages of requirements.lock. The
# Debian comes from where apt gets its own. Its programs run in namespaces of their own: ports
# 25 and 587 of this machine are not touched, and all ends with this script. With systemd-nspawn
# (Debian's systemd-container) that Debian is booted in the end, and its systemd runs the bot.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$(mktemp -d)}
[ $# -gt 0 ] || trap 'rm -rf --one-file-system "$folder"' EXIT
base=$folder/base debian=$folder/debian

# Prints the commands of a section of the README: what stands between ```sh and ```.
commands_of() {
  awk -v title="$1" '/^##+ /{inside = $0 == title} inside' "$source/README.md" |
    sed -n '/^ *```sh$/,/^ *```$/{/```/d; s/^   //; p}'
}

# Runs a script within: as on a machine that is its own, but for the network of phase "install".
within() {
  unshare --mount --pid --uts --ipc --fork "${@:2}" bash -euc '
    cd "$0"; hostname mx.example.test; ip link set lo up 2>/dev/null || true
    mount -t proc proc proc; mount -t tmpfs tmpfs dev
    for node in null zero random urandom tty; do cp -a "/dev/$node" dev/; done
    mkdir dev/pts dev/shm; mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    exec env -i HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      chroot . bash -euo pipefail "$1"' "$debian" "$1"
}

if [ ! -e "$base/packages.complete" ]; then
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -1)
  rm -rf --one-file-system "$base"
  debootstrap --variant=minbase --include=ca-certificates,dbus,iproute2,procps,systemd-sysv bookworm "$base" \
    "${mirror:?apt here knows no Debian 12}"
  python3 -m pip download -q --require-hashes -r "$source/requirements.lock" -d "$base/packages" \
    --python-version 3.11 --only-binary :all:
  touch "$base/packages.complete"
fi
rm -rf --one-file-system "$debian"
cp -a "$base" "$debian"
mkdir "$debian/spoolwarden"
tar -C "$source" --exclude=./.venv --exclude=./.git -c . | tar -C "$debian/spoolwarden" -x
printf '#!/bin/sh\nexit 101\n' >"$debian/usr/sbin/policy-rc.d" # there is no systemd to start things
chmod 755 "$debian/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$debian/etc/"

cat >"$debian/before.sh" <<'END'
# What stands before Spoolwarden comes: Debian's own Postfix, submission switched on as Debian has
# it, logins that Cyrus SASL keeps within the chroot of the SMTP server, and mailboxes.
export DEBIAN_FRONTEND=noninteractive
apt-get() { command apt-get -qy -o Dpkg::Use-Pty=0 "$@" >/dev/null; }
printf '127.0.0.1 localhost\n127.0.1.1 mx.example.test mx\n' >/etc/hosts
debconf-set-selections <<<'postfix postfix/main_mailer_type select Internet Site
postfix postfix/mailname string mx.example.test'
apt-get update
apt-get install postfix sasl2-bin libsasl2-modules adduser
postconf -e myhostname=mx.example.test 'mydestination = $myhostname, example.test, localhost' \
  'default_transport = smtp:[127.0.0.1]:1' smtpd_sasl_local_domain=example.test \
  'smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination'
sed -i '/^#submission inet/,/milter_macro_daemon_name/{/^#submission\|^#  -o/s/^#//}' /etc/postfix/master.cf
printf 'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\n' >/etc/postfix/sasl/smtpd.conf
sasldb=/var/spool/postfix/etc/sasldb2
echo secret-secret | saslpasswd2 -p -c -f $sasldb -u example.test ann
chgrp sasl $sasldb && chmod 660 $sasldb && adduser --quiet postfix sasl
useradd -m ann
END

cat >"$debian/configure.sh" <<'END'
cat >>/etc/spoolwarden/spoolwarden.toml <<'TOML'
database = "sqlite:////var/lib/spoolwarden/spoolwarden.db"

[access]
admins = ["U0123456789"]

[[mail_server]]
kind = "postfix"
name = "mx1"
state_directory = "/var/lib/spoolwarden/postfix"
prefix = ["sudo", "-n"]
sasldb = "/var/spool/postfix/etc/sasldb2"
TOML
END

cat >"$debian/smtp.py" <<'END'
"""Logs in as ann at HOST PORT, begins a message and prints the last reply."""
import smtplib, ssl, sys

with smtplib.SMTP(sys.argv[1], int(sys.argv[2]), timeout=20) as smtp:
    if sys.argv[2] == "587":
        smtp.starttls(context=ssl._create_unverified_context())
        smtp.login("ann@example.test", "secret-secret")
    smtp.mail("ann@example.test")
    print(*smtp.rcpt("ann@example.test"))
END

cat >"$debian/block.py" <<'END'
"""Blocks a client address as the bot does."""
import asyncio
from ipaddress import ip_network
from pathlib import Path

from services.clock import SystemClock
from services.mail.build import build
from services.settings import load


async def main() -> None:
    server = build(load(Path("/etc/spoolwarden/spoolwarden.toml")).mail_server[0], SystemClock())
    await server.start()
    await server.block(ip_network("198.51.100.7/32"), reason="try", lasting=None)
    await server.stop()


asyncio.run(main())
END

cat >"$debian/after.sh" <<'END'
fail() { echo "FAILED: $*" >&2; exit 1; }
checked() { # all is ok but the chat, which there is none of here
  spoolwarden check >/checked || true
  grep -q '^ok   access' /checked && ! grep -E '^FIX  (database|mail server|access)' /checked
}
rsyslogd
postfix start
trap 'postfix stop' EXIT

checked && fail "check is content before anything was done"
cat /checked
# Steps 5 and 6: what was printed, as it was printed.
sed -n '/^# What Spoolwarden may do as root/,/^$/p' /checked | grep . >/etc/sudoers.d/spoolwarden
chmod 0440 /etc/sudoers.d/spoolwarden
visudo -c
grep '^postconf ' /checked >/printed || fail "check printed no commands for Postfix"
bash -eux /printed
bash -eux /README-header-checks
postfix reload
checked || { cat /checked; fail "check is not content"; }

SPOOLWARDEN_TEST_PASSWORD=secret-secret spoolwarden drill --server mx1 \
  --test-account ann@example.test --smtp 127.0.0.1:587 --test-recipient x@example.org >/report ||
  fail "the drill"
skipped=$(grep -c '"skipped": "[^"]' /report) || true
[ "$skipped" = 1 ] || fail "the drill left $skipped steps untried, not only the preview of an empty queue"
grep -q 'info: header Subject: Spoolwarden drill' /var/log/mail.log || fail "subjects are not logged"

# A client from elsewhere: another network namespace, at the end of a cable.
unshare --net sleep 600 &
client=$!
until [ "$(readlink /proc/$client/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
ip link add cable type veth peer name cable netns $client
ip addr add 198.51.100.1/24 dev cable && ip link set cable up
nsenter -t $client -n sh -c 'ip addr add 198.51.100.7/24 dev cable && ip link set cable up'
from_outside() { nsenter -t $client -n python3 /smtp.py 198.51.100.1 "$1" 2>&1 | tail -1; }
for port in 25 587; do
  [[ $(from_outside $port) == 250* ]] || fail "port $port before the block: $(from_outside $port)"
done
runuser -u spoolwarden -- /opt/spoolwarden/bin/python /block.py
for port in 25 587; do
  said=$(from_outside $port)
  [[ $said == *"554"*"Your network may not send mail"* ]] || fail "port $port in spite of the block: $said"
  echo "port $port from a blocked address: $said"
done
kill $client
! grep -E 'postfix.*(error|fatal|warning: proxymap)' /var/log/mail.log
[ "$(stat -c %a /var/lib/spoolwarden/spoolwarden.db)" = 600 ] || fail "others can read the database"
runuser -u nobody -- cat /var/lib/spoolwarden/postfix/access.db >/dev/null 2>&1 && fail "others can read the tables"
echo "The README's way leads there."
END

{
  cat "$debian/before.sh"
  echo 'cd /spoolwarden; export PIP_NO_INDEX=1 PIP_FIND_LINKS=/packages; apt() { apt-get "$@"; }; set -x'
  commands_of "## Install it on a server"
  commands_of "### Postfix" | grep -v header_checks
  echo '. /configure.sh'
} >"$debian/install.sh"
commands_of "### Postfix" | grep header_checks >"$debian/README-header-checks"

within /install.sh
within /after.sh --net
command -v systemd-nspawn >/dev/null || { echo "Without systemd-nspawn the service was not tried."; exit; }

cat >"$debian/service.sh" <<'END'
fail() { echo "FAILED: $*"; journalctl --no-pager -n 60 -o cat; exit 1; }
show() { systemctl show --property "$1" --value spoolwarden; }
trap 'systemctl poweroff' EXIT
systemctl start rsyslog postfix
# A chat that is away: the bot has to run all the same.
printf '\n[slack]\nchannel = "C0123456789"\napi_url = "http://127.0.0.1:9/api/"\n' >>/etc/spoolwarden/spoolwarden.toml
for token in bot_token app_token; do
  install -o root -g spoolwarden -m 0640 <(echo x-none) /etc/spoolwarden/credentials/slack.$token
done
cd /spoolwarden
bash -eux /README-service
[ "$(show ActiveState)" = active ] || fail "the service does not run"

# What the drill does it does within the bounds of the unit, with the drop-in for sudo.
unit=/etc/systemd/system/drill.service
sed -E '/^(NotifyAccess|Restart.*|WatchdogSec|Timeout.*)=/d; s/^Type=.*/Type=oneshot/
  s#^ExecStart=.*#ExecStart=/opt/spoolwarden/bin/spoolwarden drill -c /etc/spoolwarden/spoolwarden.toml --server mx1 --test-account ann@example.test --smtp 127.0.0.1:587 --test-recipient x@example.org --json /var/lib/spoolwarden/report\nEnvironment=SPOOLWARDEN_TEST_PASSWORD=secret-secret#' \
  manifest/spoolwarden.service >$unit
install -D manifest/spoolwarden-sudo.conf $unit.d/sudo.conf
systemctl daemon-reload
systemctl stop spoolwarden
[ "$(show Result)" = success ] || fail "it did not stop in peace: $(show Result)"
systemctl start drill || fail "the drill within the bounds of the unit"
skipped=$(grep -c '"skipped": "[^"]' /var/lib/spoolwarden/report) || true
[ "$skipped" = 1 ] || fail "the drill left $skipped steps untried, not only the preview of an empty queue"

systemctl start spoolwarden
kill -STOP "$(show MainPID)"
for _ in $(seq 90); do [ "$(show NRestarts)" = 0 ] || break; sleep 1; done
[ "$(show NRestarts)" = 1 ] || fail "it hangs and was not restarted"
until [ "$(show ActiveState)" = active ]; do sleep 1; done
echo "systemd runs it, and starts it again when it hangs." >/service.ok
END
commands_of "### Run it as a service" | grep -v '^journalctl' >"$debian/README-service"
cat >"$debian/etc/systemd/system/walk.service" <<'END'
[Service]
Type=oneshot
ExecStart=/bin/bash -euo pipefail /service.sh
StandardOutput=file:/service.log
StandardError=file:/service.log
END
ln -s ../walk.service "$debian/etc/systemd/system/multi-user.target.wants/"
rm "$debian/usr/sbin/policy-rc.d"
systemd-nspawn -q -D "$debian" --boot --register=no --keep-unit --private-network </dev/null >/dev/null || true
cat "$debian/service.ok" || { cat "$debian/service.log"; exit 1; }
