"""A real Nagios in a folder of its own: Debian's objects, a host that is dead and a service that fails at once."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peers_support import require_peer

_PROGRAM = Path("/usr/sbin/nagios4")
STOCK = Path("/etc/nagios4/objects")  # the notification commands among them
_MAIN = """
log_file={folder}/log
cfg_file={stock}/commands.cfg
cfg_file={stock}/templates.cfg
cfg_file={stock}/timeperiods.cfg
cfg_file=/etc/nagios-plugins/config/ping.cfg
cfg_file={folder}/objects.cfg
object_cache_file={folder}/objects.cache
precached_object_file={folder}/objects.precache
status_file={folder}/status
state_retention_file={folder}/retention
command_file={folder}/commands
lock_file={folder}/pid
temp_file={folder}/temp
temp_path={folder}
check_result_path={folder}/results
query_socket={folder}/query
nagios_user=root
nagios_group=root
use_syslog=0
check_for_updates=0
check_external_commands=0
interval_length=1
check_result_reaper_frequency=1
host_inter_check_delay_method=n
service_inter_check_delay_method=n
illegal_macro_output_chars=`~$&|'"<>
"""
_OBJECTS = """
define command {{
    command_name check-fails
    command_line /usr/lib/nagios/plugins/check_dummy 2 "$ARG1$"
}}
define contact {{
    use generic-contact
    contact_name duty
    alias On duty
    email {to}
}}
define contactgroup {{
    contactgroup_name admins
    alias Who is told
    members duty
}}
define host {{
    use generic-host
    host_name router7
    address 192.0.2.7
    check_command check-fails!Packet loss = 100%
    max_check_attempts 1
    check_interval 3600
    contact_groups admins
}}
define host {{
    use generic-host
    host_name db1
    alias Database 1
    address 192.0.2.8
    max_check_attempts 1
    contact_groups admins
}}
define service {{
    use generic-service
    host_name db1
    service_description Disk /var
    check_command check-fails!free space: /var/büro 812 MB (2% inode=97%)
    max_check_attempts 1
    check_interval 3600
    contact_groups admins
}}
"""


@contextmanager
def nagios(folder: Path, to: str, **environment: str) -> Iterator[Path]:
    """Tells `to`; its log. Ended by its pid."""
    require_peer("Nagios, as root", _PROGRAM.exists() and STOCK.exists() and os.getuid() == 0)
    (folder / "results").mkdir(parents=True)
    (folder / "nagios.cfg").write_text(_MAIN.format(folder=folder, stock=STOCK))
    (folder / "objects.cfg").write_text(_OBJECTS.format(to=to))
    with (folder / "output").open("wb") as output:
        running = subprocess.Popen(
            [str(_PROGRAM), str(folder / "nagios.cfg")],
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield folder / "log"
    finally:
        running.terminate()
        running.wait(20)
