/**
 * Google's error envelope: `code` is the HTTP status, `status` its name, `details` name the field and our code.
 * Sources: cloud.google.com/apis/design/errors; google.rpc.Code for the names.
 */
import { Type } from "@sinclair/typebox";
import type { GatewayError } from "../../domain/errors";
import type { Policies } from "../../domain/policies";
import { wordingOf } from "../wording";

const STATUSES: Readonly<Record<number, string>> = {
  401: "UNAUTHENTICATED",
  402: "FAILED_PRECONDITION",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  405: "UNIMPLEMENTED",
  408: "DEADLINE_EXCEEDED",
  409: "FAILED_PRECONDITION",
  429: "RESOURCE_EXHAUSTED",
  499: "CANCELLED",
  500: "INTERNAL",
  502: "UNAVAILABLE",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

export function encodeGoogleError(error: GatewayError, policies: Policies): string {
  const { status: code, code: reason } = wordingOf(error, policies);
  const { message, field } = error;
  const details = [
    ...(field
      ? [
          {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            fieldViolations: [{ field, description: message }],
          },
        ]
      : []),
    ...(reason === null
      ? []
      : [
          {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            reason: reason.toUpperCase(),
            domain: "embedgate",
          },
        ]),
  ];
  const status = STATUSES[code] ?? "INVALID_ARGUMENT";
  return JSON.stringify({ error: { code, message, status, ...(details.length > 0 && { details }) } });
}

export const GoogleError = Type.Object(
  {
    error: Type.Object({
      code: Type.Integer({ description: "The HTTP status." }),
      message: Type.String({ description: "What was wrong and what to do." }),
      status: Type.String(),
      details: Type.Optional(
        Type.Array(Type.Object({ "@type": Type.String() }, { additionalProperties: true })),
      ),
    }),
  },
  {
    examples: [
      {
        error: {
          code: 404,
          message: "The model `embedding` does not exist. GET /v1/models lists all models.",
          status: "NOT_FOUND",
          details: [
            {
              "@type": "type.googleapis.com/google.rpc.ErrorInfo",
              reason: "MODEL_NOT_FOUND",
              domain: "embedgate",
            },
          ],
        },
      },
    ],
  },
);
