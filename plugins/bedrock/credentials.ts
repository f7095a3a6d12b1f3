/**
 * Where AWS's credentials come from, in the order of its own tools: the routing file, the environment, a profile of the shared files (keys,
 * an assumed role, a web identity, IAM Identity Center), a token of the environment, the container, the machine. A new source is a line
 * of `find` or `ofProfile`. Source: docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
 */
import type { Host } from "../../src/plugin";
import { renewed } from "../renewed";
import { type Credentials, type Found, lasting, none } from "./keys";
import { fromContainer, fromInstance } from "./metadata";
import { type Profiles, readProfiles, type Section } from "./profiles";
import { assumeRole, assumeRoleByToken } from "./roles";
import { isOfSso, ssoTokens } from "./sso";

export interface GivenCredentials {
  readonly access_key_id?: string;
  readonly secret_access_key?: string;
  readonly session_token?: string;
  readonly profile?: string;
  readonly role_arn?: string;
  readonly external_id?: string;
}

export interface CredentialSource {
  /** @throws failure unauthorized where there are no credentials, unavailable where their source does not answer */
  current(): Promise<Credentials>;
  /** AWS refused the credentials: the next call to `current` fetches new ones. */
  forget(): void;
}

/** @param region of the service that gives roles; undefined: AWS's default region */
export function credentialSource(
  host: Host,
  given: GivenCredentials,
  region = "us-east-1",
): CredentialSource {
  const looking = { host, region, sso: ssoTokens() };
  return renewed(host, async () => {
    const found = await find(looking, given);
    const { role_arn: arn, external_id: externalId } = given;
    return arn === undefined ? found : assumeRole(host, { arn, externalId, region }, found);
  });
}

interface Looking {
  readonly host: Host;
  readonly region: string;
  readonly sso: ReturnType<typeof ssoTokens>;
}

async function find(looking: Looking, given: GivenCredentials): Promise<Found> {
  const { host, region } = looking;
  const { access_key_id, secret_access_key, session_token, profile } = given;
  if (access_key_id !== undefined || secret_access_key !== undefined) {
    if (access_key_id === undefined || secret_access_key === undefined)
      throw none(host, "access_key_id and secret_access_key go together, and one of them is missing");
    return lasting(host, {
      accessKeyId: access_key_id,
      secretAccessKey: secret_access_key,
      sessionToken: session_token,
    });
  }
  if (profile === undefined) {
    const ofEnvironment = fromEnvironment(host);
    if (ofEnvironment) return ofEnvironment;
  }
  const named = profile ?? host.variable("AWS_PROFILE");
  const filed = await ofProfile(looking, await readProfiles(host), named ?? "default", new Set());
  if (filed) return filed;
  if (named !== undefined)
    throw none(
      host,
      `the profile "${named}" has no keys in AWS's credentials file, and names no other source`,
    );
  const file = host.variable("AWS_WEB_IDENTITY_TOKEN_FILE");
  const arn = host.variable("AWS_ROLE_ARN");
  if (file !== undefined && arn !== undefined) {
    const sessionName = host.variable("AWS_ROLE_SESSION_NAME");
    return byTokenFile(host, file, { arn, sessionName, region });
  }
  return (await fromContainer(host)) ?? fromInstance(host);
}

function fromEnvironment(host: Host): Found | undefined {
  const accessKeyId = host.variable("AWS_ACCESS_KEY_ID");
  const secretAccessKey = host.variable("AWS_SECRET_ACCESS_KEY");
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return lasting(host, { accessKeyId, secretAccessKey, sessionToken: host.variable("AWS_SESSION_TOKEN") });
}

/** @param passed profiles whose roles wait for this profile's keys @returns undefined where the profile names no known source */
async function ofProfile(
  looking: Looking,
  profiles: Profiles,
  name: string,
  passed: ReadonlySet<string>,
): Promise<Found | undefined> {
  const { host } = looking;
  const profile = profiles.byName.get(name);
  if (profile === undefined) return undefined;
  const keys = keysOf(profile);
  // A role may name its own profile as the source of the keys that assume it.
  if (keys && passed.size > 0) return lasting(host, keys);
  const arn = profile.get("role_arn");
  const source = profile.get("source_profile") ?? profile.get("credential_source");
  const region = profile.get("region") ?? looking.region;
  const role = {
    arn: arn ?? "",
    sessionName: profile.get("role_session_name"),
    externalId: profile.get("external_id"),
    seconds: Number(profile.get("duration_seconds")) || undefined,
    region,
  };
  if (source !== undefined) {
    const by = await sourceOf(looking, profiles, { name, profile, passed });
    return arn === undefined ? by : assumeRole(host, role, by);
  }
  if (keys) return lasting(host, keys);
  const file = profile.get("web_identity_token_file");
  if (file !== undefined && arn !== undefined) return byTokenFile(host, file, role);
  if (isOfSso(profile)) return looking.sso(host, profile, profiles);
  if (profile.has("credential_process"))
    throw none(host, `the profile "${name}" uses credential_process, which the gateway does not run`);
  return undefined;
}

/** The credentials with which a profile's role is assumed. */
async function sourceOf(
  looking: Looking,
  profiles: Profiles,
  { name, profile, passed }: { name: string; profile: Section; passed: ReadonlySet<string> },
): Promise<Found> {
  const { host } = looking;
  if (profile.has("mfa_serial"))
    throw none(host, `the role of the profile "${name}" needs an MFA code (mfa_serial)`);
  const source = profile.get("source_profile");
  if (source !== undefined) {
    if (passed.has(source)) throw none(host, `the profile "${name}" has a circular source_profile`);
    const found = await ofProfile(looking, profiles, source, new Set([...passed, name]));
    if (!found) throw none(host, `"${source}", the source_profile of "${name}", has no keys`);
    return found;
  }
  switch (profile.get("credential_source")) {
    case "Environment": {
      const found = fromEnvironment(host);
      if (!found) throw none(host, `the profile "${name}" takes them from the environment, which has none`);
      return found;
    }
    case "EcsContainer": {
      const found = await fromContainer(host);
      if (!found)
        throw none(host, `the profile "${name}" takes them from the container, which provides none`);
      return found;
    }
    case "Ec2InstanceMetadata":
      return fromInstance(host);
    default:
      throw none(
        host,
        `the credential_source of the profile "${name}" is not Environment, EcsContainer or Ec2InstanceMetadata`,
      );
  }
}

function keysOf(profile: Section): Credentials | undefined {
  const accessKeyId = profile.get("aws_access_key_id");
  const secretAccessKey = profile.get("aws_secret_access_key");
  if (!accessKeyId || !secretAccessKey) return undefined;
  return { accessKeyId, secretAccessKey, sessionToken: profile.get("aws_session_token") };
}

/** The file is read each time: the issuer writes a new one before the old one expires. */
async function byTokenFile(
  host: Host,
  file: string,
  role: Parameters<typeof assumeRoleByToken>[1],
): Promise<Found> {
  const token = (await host.readFile(file))?.trim();
  if (!token) throw none(host, `the web identity's token ${file} cannot be read`);
  return assumeRoleByToken(host, role, token);
}
