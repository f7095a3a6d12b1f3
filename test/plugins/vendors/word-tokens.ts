/**
 * What a token is in most fakes: a word, so that a test can say beforehand how many there are. OpenAI's own vocabulary is in openai-wire.ts.
 * What a vendor does with a text that is too long is in that vendor's fake.
 */
export const wordsOf = (text: string) => text.split(/\s+/).filter(Boolean);

export const tokensOf = (text: string) => wordsOf(text).length;
export const tokensIn = (texts: readonly string[]) => texts.reduce((sum, text) => sum + tokensOf(text), 0);

export const firstTokens = (text: string, count: number) => wordsOf(text).slice(0, count).join(" ");
export const lastTokens = (text: string, count: number) => wordsOf(text).slice(-count).join(" ");
