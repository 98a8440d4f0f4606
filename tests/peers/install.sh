#!/usr/bin/env bash
# The real servers and programs that tests compare ours with: Debian packages (root) and npm packages.
# Starts no service and is quick when everything is there. Run by `make test-deps`, and by `make test` in CI.
set -euo pipefail
cd "$(dirname "$0")"

packages=(swaks postfix postgresql msmtp curl chromium monit nagios4-core bsd-mailx openssl gnupg testssl.sh)
packages+=(libnet-ssleay-perl libsasl2-modules) # TLS for swaks, logins for Postfix
packages+=(opendkim monitoring-plugins-basic iproute2)   # what Nagios checks with; addresses for strangers
packages+=(systemd kannel kannel-extras)        # systemd-socket-activate; benchmarks, extras has fakesmsc
packages+=(dovecot-core dovecot-imapd dovecot-lmtpd dovecot-sieve) # mailboxes behind Postfix
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done

policy=/usr/sbin/policy-rc.d
made_policy=false
trap 'if "$made_policy"; then rm -f "$policy"; fi' EXIT

deny_starts() { # while packages are being installed; a rule that is there already stays as it is
  [ -e "$policy" ] && return
  made_policy=true
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}

if [ "${#missing[@]}" -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "These are installed from Debian packages, and there is no apt-get here: ${missing[*]}" >&2
    exit 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    echo "Installing needs root. Run: sudo make test-deps    (missing: ${missing[*]})" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  deny_starts
  if [[ " ${missing[*]} " == *" postfix "* ]]; then # no system mail server: tests bring their own configuration
    echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
  fi
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends --no-remove -o Dpkg::Use-Pty=0 "${missing[@]}" >/dev/null
  echo "installed: ${missing[*]}"
fi

# npm keeps a copy of the lock file of what it has installed: newer than ours means that nothing has changed.
if [ ! npm/node_modules/.package-lock.json -nt npm/package-lock.json ]; then
  (cd npm && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
fi
echo "peers: all there"
