/**
 * The bedrock plugin for its tests: with the keys that the fake knows, for a model of each family.
 */
import bedrock from "../../../plugins/bedrock/index";
import type { Subject } from "../conformance";
import { bedrockVendor, REGION } from "../vendors/bedrock";
import { AWS_KEYS } from "../vendors/bedrock-signature";

export const HOST = `https://bedrock-runtime.${REGION}.amazonaws.com`;
export const COHERE = "cohere.embed-english-v3";
export const COHERE4 = "us.cohere.embed-v4:0";
export const TITAN = "amazon.titan-embed-text-v2:0";
export const NOVA = "amazon.nova-2-multimodal-embeddings-v1:0";
export const SIGNING = {
  region: REGION,
  access_key_id: AWS_KEYS.accessKeyId,
  secret_access_key: AWS_KEYS.secretAccessKey,
};
export const subjectOf = (model: string): Subject => ({
  plugin: bedrock,
  options: SIGNING,
  model,
  vendor: bedrockVendor(model),
  secrets: [AWS_KEYS.secretAccessKey, AWS_KEYS.accessKeyId],
});
export const subject = subjectOf(COHERE);
