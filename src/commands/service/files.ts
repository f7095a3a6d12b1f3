/**
 * The files that `embedgate install` and the Debian package write: the systemd unit, the first routing file, and the environment file.
 * A new line of the unit needs a reason if it is not obvious; test/commands/service/ checks the security score.
 */
import {
  CONFIGURATION_FOLDER,
  DATABASE,
  ENVIRONMENT_FILE,
  ROUTING_FILE,
  SERVICE_USER,
  STATE_FOLDER,
} from "./places";

/** For systemd 245 (Ubuntu 20.04) and later; older versions log unknown lines and continue. */
export const unitText = (executable: string) => `[Unit]
Description=embedgate, an embeddings gateway
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
User=${SERVICE_USER}
Group=${SERVICE_USER}
WorkingDirectory=${CONFIGURATION_FOLDER}
# API keys and other variables of the routing file, read by systemd as root.
EnvironmentFile=-${ENVIRONMENT_FILE}
ExecStart=${executable} serve --config ${ROUTING_FILE}
# Without downtime: the routing file, and with server.processes of 2 or more the executable too.
ExecReload=${executable} reload --config ${ROUTING_FILE}
Restart=on-failure
RestartSec=1
WatchdogSec=60
# The first process is told to end, and ends the others. Longer than server.drain_ms and server.grace_ms together.
KillMode=mixed
TimeoutStopSec=60
LimitNOFILE=524288
# A process that ran out of memory is replaced; the others go on.
OOMPolicy=continue

# Files: it reads the system and its own configuration, and writes ${STATE_FOLDER} alone.
StateDirectory=${SERVICE_USER}
StateDirectoryMode=0700
UMask=0077
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateMounts=yes
PrivateDevices=yes
DevicePolicy=closed
ProtectProc=invisible
ProcSubset=pid
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes

# Rights: none. To listen on a port below 1024, 'systemctl edit embedgate' and set
# CapabilityBoundingSet=CAP_NET_BIND_SERVICE and AmbientCapabilities=CAP_NET_BIND_SERVICE.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
# No PrivateUsers: 'embedgate reload' would run in another user namespace and not see the gateway, because of ProtectProc.
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
ProtectClock=yes
ProtectHostname=yes

# System calls: those of an ordinary service.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
# Must stay off: the JavaScript engine compiles to machine code while it runs (JIT), so it maps memory that is writable and then executable.
MemoryDenyWriteExecute=no

[Install]
WantedBy=multi-user.target
`;

export const FIRST_ROUTING_FILE = `# embedgate's routing file. A running gateway reloads it when it changes.
# What is wrong in it: embedgate check ${ROUTING_FILE}
server:
  host: 127.0.0.1
  port: 8080
  processes: 2        # with 2 or more, an upgrade loses no request
database: sqlite:${DATABASE}
providers:
  local: { plugin: local }
models:
  all-MiniLM-L6-v2: { routes: [ { provider: local } ] }
`;

export const FIRST_ENVIRONMENT_FILE = `# Variables of ${ROUTING_FILE}, such as OPENAI_API_KEY=sk-…, one a line. Only root reads this file.
# After a change: systemctl restart embedgate
`;
