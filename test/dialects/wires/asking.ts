/**
 * How a test calls an API, and the fake provider's vectors as in an answer.
 */
import { exactVector } from "../../../plugins/fake";
import { printed } from "../../printing/printed";

export const post = (body: unknown, headers: Readonly<Record<string, string>> = {}): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});

export const vector = (text: string, size = 16): number[] => printed(exactVector(text, size));
