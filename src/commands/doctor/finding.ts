/** One result of `embedgate doctor`. A new check makes some of these, and is a line of doctor.ts. */
export interface Finding {
  /** The checked thing, such as disk. */
  readonly check: string;
  /** `note`: it works, but ought to be looked at. Only `wrong` fails the command. */
  readonly result: "ok" | "note" | "wrong";
  readonly says: string;
  /** What to type, or to change; null where nothing is to be done. */
  readonly mend: string | null;
}

export const fine = (check: string, says: string): Finding => ({ check, result: "ok", says, mend: null });
export const note = (check: string, says: string, mend: string | null = null): Finding => ({
  check,
  result: "note",
  says,
  mend,
});
export const wrong = (check: string, says: string, mend: string): Finding => ({
  check,
  result: "wrong",
  says,
  mend,
});

/** For the commands that are recommended: with the routing file that was looked at. */
export const withConfig = (file: string | undefined) => (file === undefined ? "" : ` --config ${file}`);
