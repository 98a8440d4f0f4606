"""Whether a machine wrote a mail, though it does not say so: of its mail nothing is guessed at.

A log may end in lines that begin with `>`, a report may list From, Date and Subject of something: what would be cut
from a person's mail is what a machine's mail is about.
"""

import re
from functools import lru_cache

from mailgate.mail import Mail

# Names of programs and devices, as they stand before the @ of From, perhaps with figures behind them.
_NAMES = frozenset(
    {
        *("root", "cron", "daemon", "syslog", "watchdog", "smartd", "mdadm", "monit"),
        *("munin", "netdata", "nagios", "icinga", "zabbix", "centreon", "naemon", "checkmk"),
        *("prtg", "librenms", "observium", "cacti", "monitor", "monitors", "monitoring", "alert"),
        *("alerts", "alerting", "alarm", "alarms", "alarme", "alertmanager", "prometheus", "grafana"),
        *("kuma", "uptime", "uptimerobot", "pingdom", "healthchecks", "wazuh", "ossec", "splunk"),
        *(
            "fail2ban",
            "logwatch",
            "logcheck",
            "rkhunter",
            "clamav",
            "unattended-upgrades",
            "apticron",
            "ansible",
        ),
        *("jenkins", "backup", "backups", "bacula", "bareos", "veeam", "borg", "restic"),
        *("duplicati", "nas", "raid", "megaraid", "ups", "apc", "eaton", "usv"),
        *("pdu", "genset", "generator", "idrac", "ilo", "ipmi", "bmc", "plc"),
        *("s7", "sps", "scada", "hmi", "simatic", "anlage", "steuerung", "sensor"),
        *("sensors", "thermometer", "bms", "hvac", "panel", "doors", "printer", "printers"),
        *("drucker", "scanner", "scan", "copier", "mfp", "xerox", "xrx", "laserjet"),
        *("pbx", "router", "firewall", "pfsense", "opnsense", "fritzbox", "camera", "nvr"),
        *("dvr", "server", "device", "noreply", "no-reply", "donotreply", "do-not-reply", "notification"),
        *("notifications", "notifier", "robot"),
    }
)
_HEADERS = frozenset({"x-cron-env"})
_ANSWERS = ("in-reply-to", "references")
_LONGEST = 64  # characters of a local part (RFC 5321, section 4.5.3.1.1)
_BETWEEN = re.compile(r"[^\w-]+|_")


def wrote(mail: Mail) -> bool:
    """No answer, and a field that only machines write, or the name of one in From."""
    fields = mail.root.fields
    if any(name in fields for name in _ANSWERS):
        return False
    if not _HEADERS.isdisjoint(fields):
        return True
    return bool(mail.from_) and _names_one(mail.from_[0].partition("@")[0][:_LONGEST])


@lru_cache(maxsize=4096)  # the same few write again and again
def _names_one(local: str) -> bool:
    words = {part for word in _BETWEEN.split(local.lower()) for part in (word, *word.split("-"))}
    return not _NAMES.isdisjoint(words) or not _NAMES.isdisjoint(
        {word.rstrip("0123456789") for word in words}
    )
