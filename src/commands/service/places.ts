/** Paths of an installed gateway on Linux: one list for `install`, the Debian package and docs/install.md. */

export const SERVICE = "embedgate.service";
/** The system user and group that the gateway runs as. */
export const SERVICE_USER = "embedgate";

export const ROUTING_FILE = "/etc/embedgate/gateway.yaml";
/** Variables for the routing file, such as API keys: one `NAME=value` per line, readable by root only. */
export const ENVIRONMENT_FILE = "/etc/embedgate/environment";
export const CONFIGURATION_FOLDER = "/etc/embedgate";
export const STATE_FOLDER = "/var/lib/embedgate";
export const DATABASE = `${STATE_FOLDER}/embedgate.db`;

/** Installed by `embedgate install`; packages have their own path. */
export const OWN_EXECUTABLE = "/usr/local/bin/embedgate";
export const OWN_UNIT = `/etc/systemd/system/${SERVICE}`;
/** Installed by the Debian package. */
export const PACKAGE_EXECUTABLE = "/usr/bin/embedgate";
export const PACKAGE_UNIT = `/usr/lib/systemd/system/${SERVICE}`;
