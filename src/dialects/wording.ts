/**
 * What an error is called in an API: by its kind (src/domain/errors.ts), unless the dialect's policies say otherwise.
 * A new policy about errors is a case here.
 */
import type { GatewayError } from "../domain/errors";
import type { Policies } from "../domain/policies";

export interface Wording {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
}

export function wordingOf(error: GatewayError, policies: Policies): Wording {
  const { status, type, code } = error.meaning;
  switch (error.kind) {
    case "invalid":
      return { status: policies.invalid_status, type, code: policies.invalid_code };
    case "input_too_long":
    case "cut_silently":
    case "no_vector":
    case "too_many_tokens":
    case "unsupported_dimensions":
    case "embeddings_unsupported":
      return { status: policies.invalid_status, type, code };
    case "unknown_model":
      return { status: policies.unknown_model_status, type, code };
    case "no_key":
      return { status, type: policies.auth_error_type, code: policies.no_key_code };
    case "wrong_key":
      return { status, type: policies.auth_error_type, code: policies.wrong_key_code };
    case "rate_limited":
      return { status, type, code: policies.rate_limit_code };
    case "malformed":
    case "timeout":
    case "deadline":
      return policies.upstream_faults === "distinct"
        ? { status, type, code }
        : { status: 503, type, code: "upstream_unavailable" };
    default:
      return { status, type, code };
  }
}
