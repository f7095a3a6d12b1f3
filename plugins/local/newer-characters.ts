/**
 * Characters whose class (mark, punctuation, format) is newer than the Unicode tables of the reference tokenizer.
 * The reference treats them as unassigned and keeps them; JavaScript's tables would remove or separate them.
 * To generate the table again: put every code point c between an "a" and a "b", and list those that the reference keeps whole and
 * `Tokenizer` without this table does not.
 */
const RANGES = `
61D 7FD 890-891 897-89F 8CA-8E2 9FD-9FE A76 AFA-AFF B55 C04 C3C C77 C84 D00 D3B-D3C D81 EBA ECE 180F
1885-1886 1ABF-1ADD 1AE0-1AEB 1B4E-1B4F 1B7D-1B7F 1DF6-1DFB 2E43-2E4F 2E52-2E5D A82C A8C5 A8FF A9BD
105C9 105E4 10D24-10D27 10D69-10D6E 10EAB-10EAD 10ED0 10EFA-10EFF 10F46-10F50 10F55-10F59
10F82-10F89 11070 11073-11074 110C2 110CD 111CF 1123E 11241 1133B 11383 11385 1138E 11391
113BB-113C0 113C5 113C7-113C8 113CE 113D0 113D2 113D4-113D5 113D7-113D8 113E1-113E2 11438-1143F
11442-11444 11446 1144B-1144F 1145A-1145B 1145D-1145E 11660-1166C 116B9 1182F-11837 11839-1183B
11938 1193B-1193C 1193E 11943-11946 119D4-119D7 119DA-119DB 119E0 119E2 11A01-11A0A 11A33-11A38
11A3B-11A47 11A51-11A56 11A59-11A5B 11A8A-11A96 11A98-11A9C 11A9E-11AA2 11B00-11B09 11B60
11B62-11B64 11B66 11BE1 11C30-11C36 11C38-11C3D 11C3F 11C41-11C45 11C70-11C71 11C92-11CA7
11CAA-11CB0 11CB2-11CB3 11CB5-11CB6 11D31-11D36 11D3A 11D3C-11D3D 11D3F-11D45 11D47 11D90-11D91
11D95 11D97 11EF3-11EF4 11EF7-11EF8 11F00-11F01 11F36-11F3A 11F40 11F42-11F4F 11F5A 11FFF
12FF1-12FF2 13430-13440 13447-13455 1611E-16129 1612D-1612F 16D68-16D6A 16D6D-16D6F 16E97-16E9A
16F4F 16FE2 16FE4 1CF00-1CF2D 1CF30-1CF46 1E000-1E006 1E008-1E018 1E01B-1E021 1E023-1E024
1E026-1E02A 1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF 1E4EC-1E4EF 1E5EE-1E5EF 1E5FF 1E6E3 1E6E6
1E6EE-1E6EF 1E6F5 1E944-1E94A 1E95E-1E95F
`;

const bounds = RANGES.trim()
  .split(/\s+/)
  .map((range) => {
    const [first = "", last = first] = range.split("-");
    return { first: Number.parseInt(first, 16), last: Number.parseInt(last, 16) };
  });

/** Whether the reference tokenizer's tables do not know the first character of `text` yet. */
export function isNewer(text: string): boolean {
  const codePoint = text.codePointAt(0) ?? 0;
  let low = 0;
  let high = bounds.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = bounds[middle];
    if (range === undefined) return false;
    if (codePoint < range.first) high = middle - 1;
    else if (codePoint > range.last) low = middle + 1;
    else return true;
  }
  return false;
}
